"""isotherm recommend"""

from pathlib import Path
from typing import Annotated

import typer

from isotherm.cli import options as o
from isotherm.cli.outputs import OutputFile, check_outputs, saved_model
from isotherm.errors import InteractionsError, ItemsError, ParameterError

_WRITERS = {
    ".parquet": lambda frame, file: frame.write_parquet(file),
    ".csv": lambda frame, file: frame.write_csv(file),
    ".jsonl": lambda frame, file: frame.write_ndjson(file),
}


def recommend(
    model: Annotated[Path, typer.Option(help="Folder of a saved model.")],
    out: Annotated[Path, typer.Option(help="Result: .parquet, .csv or .jsonl.")],
    users: Annotated[Path | None, typer.Option(help="Table whose user_id column names the users.")] = None,
    everyone: Annotated[bool, typer.Option("--all", help="All users the model knows.")] = False,
    k: Annotated[int, typer.Option("-k", help="Items a user.")] = 10,
    new_items: Annotated[
        Path | None, typer.Option(help="Item table of brand-new items: recommended at once, without a refit.")
    ] = None,
    candidates: Annotated[
        Path | None, typer.Option(help="Table whose item_id column names the only items to show.")
    ] = None,
    include_seen: Annotated[bool, typer.Option(help="Show items that the user has clicked, too.")] = False,
    user_column: o.UserColumn = "user_id",
    item_column: o.ItemColumn = "item_id",
    quiet: o.Quiet = False,
) -> None:
    """Write the k best items for some or all users: user_id, item_id, score, rank.

    Example: isotherm recommend --model model --all -k 20 --out recs.parquet
    """
    if (users is None) == (not everyone):
        raise ParameterError("recommend needs either --users or --all")
    inputs = {
        "--model": saved_model(model),
        "--users": users,
        "--new-items": new_items,
        "--candidates": candidates,
    }
    check_outputs(inputs, OutputFile("--out", out, tuple(_WRITERS)))

    from isotherm.data import Items
    from isotherm.data.tables import read_ids
    from isotherm.files import streamed, write_atomically
    from isotherm.models.persistence import load

    o.begin(quiet)
    loaded = load(model)
    if new_items is not None:
        loaded.add_items(Items.read(new_items, loaded.item_kinds, item_column=item_column))
    chosen = None if users is None else read_ids(users, user_column, InteractionsError)
    allowed = None if candidates is None else read_ids(candidates, item_column, ItemsError)
    lists = loaded.recommend(chosen, k, exclude_seen=not include_seen, candidates=allowed)
    write_atomically(out, streamed(lambda stream: _WRITERS[out.suffix](lists, stream)))
    o.note(f"{out}: {lists.height:,} rows for {lists['user_id'].n_unique():,} users", quiet)
