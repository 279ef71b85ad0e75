"""isotherm explain"""

from typing import Annotated

import typer

from isotherm.cli import options as o
from isotherm.cli.outputs import OutputFile, check_outputs, saved_model
from isotherm.cli.results import plain_rows, show_frame


def explain(
    model: o.ModelFolder,
    user: Annotated[str, typer.Option(help="Id of a user the model was fitted on.")],
    item: Annotated[str, typer.Option(help="Id of the item that is or might be shown.")],
    k: Annotated[int, typer.Option("-k", help="How many clicked items and fields to show.")] = 10,
    json: o.JSONFile = None,
    quiet: o.Quiet = False,
) -> None:
    """Show why a user is shown an item: the shares of its score, by clicked item and by metadata field.

    Example: isotherm explain --model model --user 196 --item 242
    """
    check_outputs({"--model": saved_model(model)}, OutputFile("--json", json, (".json",)))

    from isotherm.checks import whole
    from isotherm.files import write_json
    from isotherm.models.persistence import load

    whole("-k", k, 1)
    o.begin(quiet)
    why = load(model).explain(user, item)
    if json is not None:
        document = {
            "user": user,
            "item": item,
            "score": why.score,
            "answered_by": why.answered_by,
            "certainty": why.certainty,
            "by_item": plain_rows(why.by_item),
            "by_field": None if why.by_field is None else plain_rows(why.by_field),
        }
        write_json(json, document)
    if why.answered_by == "popularity":
        typer.echo(
            f"score {why.score:g}: the user has no history and is shown popular items, by their clicks"
        )
        return
    certainty = "" if why.certainty is None else f", certainty {why.certainty:.2f}"
    typer.echo(f"score {why.score:.4f}{certainty}")
    show_frame(why.by_item.head(k))
    if why.by_field is not None:
        show_frame(why.by_field.head(k))
