"""isotherm recommend"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from isotherm.cli import options as o
from isotherm.cli.item_sets import item_sets
from isotherm.cli.outputs import Inputs, OutputFile, OutputFolder, check_outputs, content_digest, saved_model
from isotherm.errors import InteractionsError, ParameterError, shown_path
from isotherm.folders import MODEL, RECOMMENDATIONS

_SUFFIXES = (".parquet", ".csv", ".jsonl")


def recommend(
    model: o.ModelFolder,
    out: Annotated[
        Path,
        typer.Option(
            help="Result: a .parquet, .csv or .jsonl file; or a folder of Parquet parts, where a run "
            "that was cut off goes on."
        ),
    ],
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
    users_per_part: Annotated[
        int | None,
        typer.Option(
            help="Users whose lists are made and written at a time.  [default: for half a million rows]",
            show_default=False,
        ),
    ] = None,
    include_seen: Annotated[bool, typer.Option(help="Show items that the user has clicked, too.")] = False,
    user_column: o.UserColumn = "user_id",
    item_column: o.ItemColumn = "item_id",
    weight_column: o.WeightColumn = None,
    quiet: o.Quiet = False,
) -> None:
    """Write the k best items for some or all users: user_id, item_id, score, rank.

    Users without a usable history are shown the most clicked items, with their numbers of clicks as scores; a
    note counts them.

    Lists are made and written a block of users at a time. Of a folder, a part is whole or absent; the same
    command goes on with those that are missing, and a folder of another model or other settings is refused.

    Example: isotherm recommend --model model --all -k 20 --out recs.parquet
    """
    _check_audience(users, everyone, histories, weight_column)
    inputs = {"--users": users, "--histories": histories}
    inputs |= {"--new-items": new_items, "--candidates": candidates, "--exclude": exclude}
    output = _output(out)
    check_outputs({"--model": saved_model(model), **inputs}, output)

    from isotherm.checks import whole
    from isotherm.models.requests.blocks import default_block
    from isotherm.models.requests.ids import unknown_policy

    log = o.LogOptions(user_column, item_column, weight_column=weight_column)
    log.columns()  # raises where two have one name
    whole("-k", k, 1)
    size = None if users_per_part is None else whole("--users-per-part", users_per_part, 1)
    policy = unknown_policy("--unknown", unknown)
    o.begin(quiet)
    loaded, digest = _loaded(model, new_items, item_column)
    ids, ask = _asked(loaded, users, histories, log, quiet)
    _check_types(out, isinstance(output, OutputFolder), ids, loaded.items_.values)
    only, never = (item_sets(file, ids, user_column, item_column, quiet) for file in (candidates, exclude))
    size = size or default_block(loaded.n_items, k)
    blocks = partial(ask, k, not include_seen, only, never, policy, titles, users_per_block=size)
    lists = _Lists(blocks, len(ids), size)
    if isinstance(output, OutputFile):
        text = _write_file(out, lists)
    else:
        settings = {"--model": digest, "-k": k, "--include-seen": include_seen, "--unknown": unknown}
        settings |= {"--titles": titles, "users per part": size, **_read(inputs, log)}
        text = _write_parts(out, lists, settings)
    o.note(f"{shown_path(out)}: {text}", quiet)


def _check_audience(
    users: Path | None, everyone: bool, histories: Path | None, weight_column: str | None
) -> None:
    """Who is asked for is named in one way. Raises ParameterError."""
    if (users is not None) + everyone + (histories is not None) != 1:
        raise ParameterError("recommend needs one of --users, --all and --histories")
    if weight_column is not None and histories is None:
        raise ParameterError("--weight-column is for --histories")


def _output(out: Path) -> OutputFile | OutputFolder:
    """A folder has a name without an ending, or is there."""
    is_ending = out.name in _SUFFIXES  # ".csv" has no name before it: a file that is refused
    if out.suffix not in _SUFFIXES and not is_ending and (not out.suffix or out.is_dir()):
        return OutputFolder("--out", out, RECOMMENDATIONS)
    return OutputFile("--out", out, _SUFFIXES)


def _loaded(folder: Path, new_items: Path | None, item_column: str) -> tuple[Any, str]:
    """The model with its new items, and the SHA-256 of its manifest, which names all that it holds."""
    from isotherm.data import Items
    from isotherm.models.persistence import load

    while True:
        digest = content_digest(saved_model(folder) and folder / MODEL.manifest)
        loaded = load(folder)
        if digest is not None and digest == content_digest(folder / MODEL.manifest):
            break  # else another model was saved there meanwhile
    if new_items is not None:
        loaded.add_items(Items.read(new_items, item_column=item_column, like=loaded.item_schema))
    return loaded, digest


def _read(inputs: Inputs, log: o.LogOptions) -> dict[str, str | None]:
    """What is read: SHA-256 of each input, and names of columns."""
    digests = {option: content_digest(path) for option, path in inputs.items() if not isinstance(path, list)}
    columns = {"--user-column": log.user_column, "--item-column": log.item_column}
    return {**digests, **columns, "--weight-column": log.weight_column}


def _asked(
    model: Any, users: Path | None, histories: Path | None, log: o.LogOptions, quiet: bool
) -> tuple[Any, Callable[..., Any]]:
    """The ids of who is asked for, and what answers them by blocks."""
    from isotherm.data.reading.tables import read_ids

    if histories is not None:
        clicks = log.read_clicks(histories, quiet)
        return clicks.users.values, partial(model.recommend_blocks_for, clicks)
    ids = None if users is None else read_ids(users, log.user_column, InteractionsError)
    return model.users_.values if ids is None else ids, partial(model.recommend_blocks, ids)


class _Lists:
    """The blocks of lists: shown how far they are, and counted.

    ask: blocks from ``first_block`` on.  n_users: who are asked for.  size: users of a block.
    """

    def __init__(self, ask: Callable[..., Any], n_users: int, size: int) -> None:
        self._ask, self.n_users, self.size = ask, n_users, size
        self.n_rows = self.n_lists = 0

    @contextmanager
    def shown(self, first: int = 0) -> Iterator[Callable[[int], Iterator[Any]]]:
        """What makes the blocks from one on, each counted once the next is asked for."""
        from isotherm.progress import stage

        done = min(first * self.size, self.n_users)
        with stage("recommend", self.n_users, "users", done) as advance:
            yield lambda first: self._counted(self._ask(first_block=first), first, advance)

    def _counted(self, blocks: Any, first: int, advance: Callable[[float], None]) -> Iterator[Any]:
        for number, block in enumerate(blocks, first):
            yield block
            self.n_rows += block.height
            self.n_lists += int((block["rank"] == 1).sum())
            advance(max(min(self.size, self.n_users - number * self.size), 0))

    def __str__(self) -> str:
        from isotherm.data.wording import counted

        return f"{counted(self.n_rows, 'row')} for {counted(self.n_lists, 'user')}"


def _write_file(out: Path, lists: _Lists) -> str:
    """All lists as one file; returns what a person should know."""
    from isotherm.models.bulk.list_file import write_list_file

    with lists.shown() as blocks:
        write_list_file(out, blocks(0))
    return str(lists)


def _write_parts(out: Path, lists: _Lists, settings: dict[str, Any]) -> str:
    """The parts of a folder that are missing; returns what a person should know."""
    from isotherm.data.wording import counted
    from isotherm.models.bulk.parts import ListParts

    with ListParts(out, settings).held() as parts:
        if parts.is_complete:
            return f"all parts are there ({parts.n_before:,}), of this model and these settings"
        with lists.shown(parts.n_before) as blocks:
            n = sum(1 for _ in parts.write(blocks))
    before = f" ({parts.n_before:,} were there)" if parts.n_before else ""
    return (
        f"{counted(parts.n_before + n, 'part')}{before}; {lists}{' in those written now' if before else ''}"
    )


def _check_types(out: Path, in_parts: bool, *ids: Any) -> None:
    """Find out before the work whether the format of the result can hold the ids."""
    import polars as pl

    for values in ids:
        if not in_parts and out.suffix != ".parquet" and values.dtype in (pl.Binary, pl.Duration):
            raise ParameterError(
                f"{shown_path(out)}: ids of type {values.dtype} cannot be written as {out.suffix}; "
                "name a .parquet file"
            )
