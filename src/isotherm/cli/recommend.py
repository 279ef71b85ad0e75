"""isotherm recommend"""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from isotherm.cli import options as o
from isotherm.cli.item_sets import item_sets
from isotherm.cli.outputs import OutputFile, check_outputs, saved_model
from isotherm.errors import InteractionsError, ParameterError, shown_path

_WRITERS = {
    ".parquet": lambda frame, file: frame.write_parquet(file),
    ".csv": lambda frame, file: frame.write_csv(file),
    ".jsonl": lambda frame, file: frame.write_ndjson(file),
}


def recommend(
    model: o.ModelFolder,
    out: Annotated[Path, typer.Option(help="Result: .parquet, .csv or .jsonl.")],
    users: Annotated[Path | None, typer.Option(help="Table whose user_id column names the users.")] = None,
    everyone: Annotated[bool, typer.Option("--all", help="All users the model knows.")] = False,
    histories: Annotated[
        Path | None,
        typer.Option(help="Clicks of people the model need not know: user_id, item_id[, weight]."),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Items a user.")] = 10,
    new_items: Annotated[
        Path | None, typer.Option(help="Item table of brand-new items: recommended at once, without a refit.")
    ] = None,
    candidates: o.Candidates = None,
    exclude: o.Exclude = None,
    unknown: Annotated[
        str,
        typer.Option(
            help="Users, candidates and items of histories that the model does not know: error; skip; "
            "popular (skip items, show such users the popular ones)."
        ),
    ] = "error",
    titles: Annotated[
        bool,
        typer.Option(
            "--titles",
            help="Add columns for people: title, new (nobody has clicked the item), answered_by (model, or "
            "popularity for a user without history).",
        ),
    ] = False,
    include_seen: Annotated[bool, typer.Option(help="Show items that the user has clicked, too.")] = False,
    user_column: o.UserColumn = "user_id",
    item_column: o.ItemColumn = "item_id",
    weight_column: o.WeightColumn = None,
    quiet: o.Quiet = False,
) -> None:
    """Write the k best items for some or all users: user_id, item_id, score, rank.

    Users without a usable history are shown the most clicked items, with their numbers of clicks as scores; a
    note counts them.

    Example: isotherm recommend --model model --all -k 20 --out recs.parquet
    """
    if (users is not None) + everyone + (histories is not None) != 1:
        raise ParameterError("recommend needs one of --users, --all and --histories")
    if weight_column is not None and histories is None:
        raise ParameterError("--weight-column is for --histories")
    inputs = {"--model": saved_model(model), "--users": users, "--histories": histories}
    inputs |= {"--new-items": new_items, "--candidates": candidates, "--exclude": exclude}
    check_outputs(inputs, OutputFile("--out", out, tuple(_WRITERS)))

    from isotherm.checks import whole
    from isotherm.data import Items
    from isotherm.data.reading.tables import read_ids
    from isotherm.models.persistence import load
    from isotherm.models.requests.ids import unknown_policy

    log = o.LogOptions(user_column, item_column, weight_column=weight_column)
    log.columns()  # raises where two have one name
    whole("-k", k, 1)
    policy = unknown_policy("--unknown", unknown)
    o.begin(quiet)
    loaded = load(model)
    if new_items is not None:
        loaded.add_items(Items.read(new_items, item_column=item_column, like=loaded.item_schema))
    if histories is not None:
        clicks = log.read_clicks(histories, quiet)
        ids, ask = clicks.users.values, partial(loaded.recommend_for, clicks)
    else:
        ids = loaded.users_.values if users is None else read_ids(users, user_column, InteractionsError)
        ask = partial(loaded.recommend, ids)
    _check_types(out, ids, loaded.items_.values)
    only, never = (item_sets(file, ids, user_column, item_column, quiet) for file in (candidates, exclude))
    lists = ask(k, not include_seen, only, never, policy, titles)
    _write(lists, out)
    o.note(f"{out}: {_counts(lists)}", quiet)


def _counts(lists: Any) -> str:
    """How many rows and users the lists have."""
    from isotherm.data.wording import counted

    return f"{counted(lists.height, 'row')} for {counted(lists['user_id'].n_unique(), 'user')}"


def _write(lists: Any, out: Path) -> None:
    """The lists as a file, whole or not at all."""
    from isotherm.files import streamed, write_atomically

    write_atomically(out, streamed(lambda stream: _WRITERS[out.suffix](lists, stream)))


def _check_types(out: Path, *ids: Any) -> None:
    """Find out before the work whether the format of the result can hold the ids."""
    import polars as pl

    for values in ids:
        if out.suffix != ".parquet" and values.dtype in (pl.Binary, pl.Duration):
            raise ParameterError(
                f"{shown_path(out)}: ids of type {values.dtype} cannot be written as {out.suffix}; "
                "name a .parquet file"
            )
