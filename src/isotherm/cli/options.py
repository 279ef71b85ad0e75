"""Options that several commands share, and what they read."""

from pathlib import Path
from typing import Annotated, Any

import typer

from isotherm.errors import ParameterError, brief

InteractionsFile = Annotated[
    Path | None,
    typer.Option("--interactions", help="Click log: Parquet (file, folder, glob), CSV(.gz) or JSONL."),
]
ItemsFile = Annotated[Path | None, typer.Option("--items", help="Item table with metadata, one row an item.")]
Setting = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A hyper-parameter; may be repeated.")
]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="FIELD=KIND",
        help="Kind of an item field: categories, tags, text, number or vector; may be repeated.",
    ),
]
UserColumn = Annotated[str, typer.Option(help="Column of user ids.")]
ItemColumn = Annotated[str, typer.Option(help="Column of item ids, in clicks and in items.")]
RatingColumn = Annotated[
    str | None,
    typer.Option(help="Column of ratings, for --min-rating.  [default: rating]", show_default=False),
]
TimestampColumn = Annotated[
    str | None,
    typer.Option(
        help="Column of times, for leave-one-out and temporal.  [default: timestamp, where there is one]",
        show_default=False,
    ),
]
WeightColumn = Annotated[
    str | None,
    typer.Option(help="Column of click weights.  [default: weight, where there is one]", show_default=False),
]
MinRating = Annotated[float | None, typer.Option(help="Only ratings of at least this count as clicks.")]
ModelFolder = Annotated[Path, typer.Option("--model", help="Folder of a saved model.")]
Candidates = Annotated[
    Path | None,
    typer.Option(
        help="Table whose item_id column names the only items to show; with user_id, a list a user."
    ),
]
Exclude = Annotated[
    Path | None,
    typer.Option(help="Table whose item_id column names items not to show; with user_id, a list a user."),
]
JSONFile = Annotated[Path | None, typer.Option("--json", help="Write all figures here as JSON.")]
ReportFile = Annotated[Path | None, typer.Option("--report", help="Write a self-contained HTML page here.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress and no notes.")]


def begin(quiet: bool) -> None:
    """Choose who watches the long stages."""
    from isotherm.progress import watch_with

    watch_with("silent" if quiet else "auto")


def note(text: str, quiet: bool = False) -> None:
    """A line for the person at the terminal, on stderr: results alone go to stdout."""
    if not quiet:
        typer.echo(text, err=True)


def columns(user: str, item: str, rating: str | None, timestamp: str | None, weight: str | None) -> Any:
    """The names of the click log's columns; those that are named must be there."""
    from isotherm.data import Columns

    return Columns(user=user, item=item, rating=rating, timestamp=timestamp, weight=weight)


def read_clicks(path: Path, names: Any, min_rating: float | None, quiet: bool) -> Any:
    """The click log, and a note of what reading it did."""
    from isotherm.data import Interactions
    from isotherm.errors import shown_path

    clicks = Interactions.read(path, columns=names, min_rating=min_rating)
    done = [f"{n:,} {what.replace('_', ' ')}" for what, n in clicks.notes.items() if n and what != "rows"]
    note(f"{shown_path(path)}: {clicks!r}" + (f"; {', '.join(done)}" if done else ""), quiet)
    if clicks.untimed:
        note(f"read without times: {clicks.untimed}", quiet)
    return clicks


def read_items(path: Path | None, item_column: str, kinds: list[str] | None, quiet: bool) -> Any:
    """The item table, or None; a note tells the kinds."""
    if path is None:
        if kinds:
            raise ParameterError("--kind needs --items")
        return None
    from isotherm.data import Items
    from isotherm.errors import shown_path

    declared: dict[str, Any] = {}
    for kind in kinds or []:
        name, equals, value = kind.partition("=")
        if not equals:
            raise ParameterError(f"--kind takes field=kind, not {brief(kind)}")
        if name.strip() in declared:
            raise ParameterError(f"--kind {brief(name.strip())} is given twice; give it once")
        declared[name.strip()] = value.strip()
    items = Items.read(path, declared, item_column=item_column)
    missing = [f"{name} {share:.0%}" for name, share in items.missing().items() if share >= 0.005]
    gaps = "; no value: " + ", ".join(missing[:20] + (["…"] if len(missing) > 20 else []))
    note(f"{shown_path(path)}: {items!r}" + (gaps if missing else ""), quiet)
    return items
