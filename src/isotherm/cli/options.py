"""Options that several commands share, and what they read."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isotherm.errors import ParameterError, brief

if TYPE_CHECKING:
    from isotherm.data import Columns, Interactions, Items
    from isotherm.data.kinds import Kind

InteractionsFile = Annotated[
    Path | None,
    typer.Option("--interactions", help="Click log: Parquet (file, folder, glob), CSV(.gz) or JSONL."),
]
ItemsFile = Annotated[
    Path | None, typer.Option("--items", help="Item table with metadata, one row per item.")
]
Setting = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A hyper-parameter; may be repeated.")
]
UserColumn = Annotated[str, typer.Option(help="Column of user ids.")]
ItemColumn = Annotated[str, typer.Option(help="Column of item ids, in clicks and in items.")]
WeightColumn = Annotated[
    str | None,
    typer.Option(help="Column of click weights.  [default: weight, where there is one]", show_default=False),
]
ModelFolder = Annotated[Path, typer.Option("--model", help="Folder of a saved model.")]
DatabaseURL = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="URL",
        help="Serving database: sqlite:///FILE or postgresql://USER@HOST/NAME.  [default: $ISOTHERM_DB]",
        show_default=False,
    ),
]
DatabaseFile = Annotated[
    Path | None,
    typer.Option(
        "--db-file", help="File that holds the URL of the database instead, as it may hold a password."
    ),
]
Candidates = Annotated[
    Path | None,
    typer.Option(
        help="Table whose item_id column names the only items to show; with user_id, a list per user."
    ),
]
Exclude = Annotated[
    Path | None,
    typer.Option(help="Table whose item_id column names items not to show; with user_id, a list per user."),
]
Titles = Annotated[
    bool, typer.Option("--titles", help="Add the items' titles, and whether they are new: without a click.")
]
JSONFile = Annotated[Path | None, typer.Option("--json", help="Write all figures here as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress and no notes.")]


def begin(quiet: bool) -> None:
    """Choose who watches the long stages."""
    from isotherm.progress import watch_with

    watch_with("silent" if quiet else "auto")


def note(text: str, quiet: bool = False) -> None:
    """A line for the person at the terminal, on stderr: results alone go to stdout."""
    if not quiet:
        typer.echo(text, err=True)


@dataclass(frozen=True)
class KindOptions:
    """How the fields of the item table are read."""

    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            metavar="FIELD=KIND",
            help="Kind of an item field: categories, tags, text, number or vector; may be repeated.",
        ),
    ] = None
    title_column: Annotated[
        str | None,
        typer.Option(
            help="Item field that names items before a person.  [default: title, name, item_name, label or "
            "one that ends in _title]",
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True)
class LogOptions:
    """How a click log is read: the names of its columns, and which ratings count as clicks."""

    user_column: UserColumn = "user_id"
    item_column: ItemColumn = "item_id"
    rating_column: Annotated[
        str | None,
        typer.Option(help="Column of ratings, for --min-rating.  [default: rating]", show_default=False),
    ] = None
    timestamp_column: Annotated[
        str | None,
        typer.Option(
            help="Column of times, for leave-one-out and temporal.  [default: timestamp, where there is one]",
            show_default=False,
        ),
    ] = None
    weight_column: WeightColumn = None
    min_rating: Annotated[
        float | None, typer.Option(help="Only ratings of at least this count as clicks.")
    ] = None

    def columns(self) -> "Columns":
        """The names of the log's columns; those that are named must be there. Raises ParameterError."""
        from isotherm.data import Columns

        return Columns(
            user=self.user_column,
            item=self.item_column,
            rating=self.rating_column,
            timestamp=self.timestamp_column,
            weight=self.weight_column,
        )

    def read_clicks(self, path: Path, quiet: bool) -> "Interactions":
        """The click log, and a note of what reading it did."""
        from isotherm.data import Interactions
        from isotherm.errors import shown_path

        clicks = Interactions.read(path, columns=self.columns(), min_rating=self.min_rating)
        done = [f"{n:,} {what.replace('_', ' ')}" for what, n in clicks.notes.items() if n and what != "rows"]
        note(f"{shown_path(path)}: {clicks!r}" + (f"; {', '.join(done)}" if done else ""), quiet)
        if clicks.untimed:
            note(f"read without times: {clicks.untimed}", quiet)
        return clicks


@dataclass(frozen=True)
class DataOptions(LogOptions, KindOptions):
    """How a click log and its item table are read."""

    def read_items(self, path: Path | None, quiet: bool) -> "Items | None":
        """The item table, or None; a note tells the kinds."""
        if path is None:
            for option, given in (("--kind", self.kinds), ("--title-column", self.title_column)):
                if given:
                    raise ParameterError(f"{option} needs --items")
            return None
        from isotherm.data import Items
        from isotherm.errors import shown_path

        kinds = _declared_kinds(self.kinds or [])
        items = Items.read(path, kinds, item_column=self.item_column, title=self.title_column)
        missing = [f"{name} {share:.0%}" for name, share in items.missing().items() if share >= 0.005]
        gaps = "; no value: " + ", ".join(missing[:20] + (["…"] if len(missing) > 20 else []))
        note(f"{shown_path(path)}: {items!r}" + (gaps if missing else ""), quiet)
        return items


def _declared_kinds(kinds: list[str]) -> "dict[str, Kind]":
    """Field -> kind of what --kind says. Raises ParameterError."""
    declared: dict[str, Any] = {}
    for kind in kinds:
        name, equals, value = kind.partition("=")
        if not equals:
            raise ParameterError(f"--kind takes field=kind, not {brief(kind)}")
        if name.strip() in declared:
            raise ParameterError(f"--kind {brief(name.strip())} is given twice; give it once")
        declared[name.strip()] = value.strip()
    return declared


@dataclass(frozen=True)
class ResultFiles:
    """Where results go besides the terminal."""

    json: JSONFile = None
    report: Annotated[
        Path | None, typer.Option("--report", help="Write a self-contained HTML page here.")
    ] = None


def database_url(url: str | None, file: Path | None, default: str | None = None) -> str:
    """The URL of the serving database: as given, of a file, of ISOTHERM_DB, or the default.

    A note tells where a password is among the arguments, which all users of a machine see.
    Raises ParameterError where two are given or none.
    """
    if url is not None and file is not None:
        raise ParameterError("--db and --db-file: there are both; give one of them")
    from isotherm.serving.database.connections import holds_password
    from isotherm.serving.workers.tokens import read_url

    if url is not None:
        if holds_password(url):
            note("warning: --db: all users of this machine see the password; give ISOTHERM_DB or --db-file")
        return url
    found = read_url(file) if file is not None else os.environ.get("ISOTHERM_DB") or default
    if not found:
        raise ParameterError("--db is missing: name the database, there, by --db-file or by ISOTHERM_DB")
    return found
