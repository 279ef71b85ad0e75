"""isotherm similar"""

from pathlib import Path
from typing import Annotated

import typer

from isotherm.cli import options as o
from isotherm.cli.outputs import OutputFile, check_outputs, saved_model
from isotherm.cli.results import plain_rows, show_frame
from isotherm.errors import ItemsError, ParameterError


def similar(
    model: o.ModelFolder,
    item: Annotated[str | None, typer.Option(help="Id of the item to find similar ones to.")] = None,
    user: Annotated[str | None, typer.Option(help="Id of the user to find similar ones to.")] = None,
    k: Annotated[int, typer.Option("-k", help="How many.")] = 10,
    candidates: Annotated[
        Path | None, typer.Option(help="Table whose item_id column names the only items to show.")
    ] = None,
    exclude: Annotated[
        Path | None, typer.Option(help="Table whose item_id column names items not to show.")
    ] = None,
    item_column: o.ItemColumn = "item_id",
    titles: o.Titles = False,
    json: o.JSONFile = None,
    quiet: o.Quiet = False,
) -> None:
    """Show the items most similar to one, or the users: what near is, the model says.

    Example: isotherm similar --model model --item 172 -k 5
    """
    if (item is None) == (user is None):
        raise ParameterError("similar needs either --item or --user")
    if user is not None and (candidates is not None or exclude is not None or titles):
        raise ParameterError("--candidates, --exclude and --titles are of items; they go with --item")
    check_outputs(
        {"--model": saved_model(model), "--candidates": candidates, "--exclude": exclude},
        OutputFile("--json", json, (".json",)),
    )

    from isotherm.checks import whole
    from isotherm.data.reading.tables import read_ids
    from isotherm.files import write_json
    from isotherm.models.persistence import load

    whole("-k", k, 1)
    o.begin(quiet)
    loaded = load(model)
    asked = {"user": user} if item is None else {"item": item}
    if item is not None:
        only, never = (
            None if file is None else read_ids(file, item_column, ItemsError)
            for file in (candidates, exclude)
        )
        near = loaded.similar_items(item, k, only, never, titles=titles)
    else:
        near = loaded.similar_users(user, k)
    if json is not None:
        write_json(json, {**asked, "similar": plain_rows(near)})
    if titles:
        show_frame(near.select("item_id", "title", "new", "score", "rank"), words=3)
    else:
        show_frame(near)
