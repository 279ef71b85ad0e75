"""The database of serving: every read and every write, each in a short transaction of its own.

What a writing method returned is on disk. Several processes may write at once, and each sees at its next read
what any of them was told is done.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Self

import polars as pl
from sqlalchemy import (
    Connection,
    Engine,
    Select,
    and_,
    func,
    or_,
    select,
    text,
    tuple_,
    update,
)

from isotherm.checks import whole
from isotherm.errors import ItemsError, ParameterError, brief
from isotherm.files import Address
from isotherm.serving.database import tables
from isotherm.serving.database.connections import opened, place_of, reading, told, writing
from isotherm.serving.database.events import Event, EventCounts, event_rows, history_rows
from isotherm.serving.database.experiments import ExperimentTables
from isotherm.serving.database.export import export_tables
from isotherm.serving.database.exposures import Exposure, exposure_of, exposure_row
from isotherm.serving.database.form import is_newest
from isotherm.serving.database.moments import microseconds, moment, now
from isotherm.serving.database.quick_reads import QuickReads
from isotherm.serving.database.stored_ids import Id, check_text, given_id, stored_id
from isotherm.serving.database.stored_items import MOST_ITEMS, StoredItem, item_of, item_row

Of = tuple[str, str] | None  #: an experiment and its arm; None for the server's own
_USERS = 500  # that are asked for at one time
_PAGE = 10_000  # rows of a read that goes on
_TAKE_NUMBERS = "SELECT nextval(pg_get_serial_sequence('events', 'number')) FROM generate_series(1, :n)"


@dataclass(frozen=True)
class History:
    """The last words of a user: item ids, the newest first. An item is in one of the two, never in both."""

    clicks: list[Id] = field(default_factory=list)
    dislikes: list[Id] = field(default_factory=list)


@dataclass(frozen=True)
class ItemChanges:
    """Items that were changed.  version: ask for the changes since this next time.  more: there are more."""

    version: int
    items: Sequence[StoredItem] = ()
    more: bool = False


@dataclass(frozen=True)
class ModelSwap:
    """A model that went on the air.

    action: start of a server, swap or rollback.  path: its folder, "" for none.  model: its name.
    generation: version of the start or swap by which this model came first; that of a rollback is earlier.
    content: what tells the folder's model from another that is put there later; None where nobody said.
    """

    action: str
    path: str
    model: str
    time: datetime
    version: int
    generation: int
    content: str | None = None


@dataclass(frozen=True)
class OnAir:
    """The model on the air, and the other one that was before; None where there was none."""

    now: ModelSwap | None = None
    before: ModelSwap | None = None


class Database:
    """Items, events, histories, exposures and model swaps, in SQLite or PostgreSQL.

    >>> from isotherm.serving.database import Database, Event, StoredItem
    >>> database = Database.open("sqlite:///live.db")
    >>> database.put_items([StoredItem(7, {"title": "Moon"})])
    1
    >>> database.items_changed_since(0).items[0].metadata
    {'title': 'Moon'}
    >>> clicks = [Event("e1", "click", "ann", 7), Event("e1", "click", "ann", 7)]
    >>> counts = database.add_events(clicks)
    >>> counts.new, counts.repeated
    (1, 1)
    >>> database.history("ann", most=10)
    History(clicks=[7], dislikes=[])
    >>> database.close()
    """

    def __init__(self, engine: Engine, seconds: float | None = None) -> None:
        self._engine = engine
        self._reads = QuickReads(engine, seconds)
        self.experiments = ExperimentTables(engine, self._reads)  #: plans, and the arms of users

    @classmethod
    def open(cls, url: str, create: bool = True, seconds: float | None = None) -> Self:
        """The database at ``url``, its tables brought to their newest form; each process opens its own.

        url: sqlite:///FILE or postgresql://USER@HOST/NAME.  create: whether an absent file is made.
        seconds: how long a server of PostgreSQL may take to answer before DatabaseError is raised, but for
        steps to the newest form; None for any time.
        Raises DatabaseError where it cannot be reached or is not ours, OutputError where a file cannot be
        written.
        """
        engine = opened(url, create, seconds)
        try:
            with reading(engine) as connection:
                newest = is_newest(connection)
            if not newest:
                _migrate(url)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, seconds)

    def close(self) -> None:
        """Give back the connections; a transaction that is running elsewhere ends first."""
        self._reads.close()
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Database({place_of(self._engine).removeprefix('--db ')})"

    def identity(self) -> str:
        """What tells this database from every other; a backup has the same."""
        with reading(self._engine) as connection:
            return str(connection.scalar(select(tables.state.c.database)))

    def version(self) -> int:
        """Number of the last change of an item or of the model: cheap enough to ask before each answer."""
        return self._reads.version()

    @property
    def answered(self) -> float:
        """When ``version`` was read last, of the monotonic clock."""
        return self._reads.answered

    @property
    def is_local(self) -> bool:
        """Whether it is a file on this machine, so that small reads are a matter of microseconds."""
        return self._engine.dialect.name == "sqlite"

    # items

    def put_items(self, items: Iterable[StoredItem], keeping: Collection[Id] = ()) -> int:
        """Add items, or put them in the place of those of the same id, all or none. Returns the new version.

        keeping: ids of those whose metadata stays what was put before, if it was, whoever puts it meanwhile.
        Raises ItemsError for metadata that is no JSON or too large, an id that stands twice, and more than
        10,000 items at once.
        """
        kept = {stored_id("item", item) for item in keeping}
        rules = ["available_from", "available_until", "hidden", "deleted"]
        rows = [item_row(item) for item in items]
        return self._write_items(rows, ["metadata", *rules], kept)

    def hide(self, items: Iterable[Id], hidden: bool = True) -> int:
        """Show items no longer, or again. Returns the new version.

        An item that only the model knows can be hidden, too.
        """
        return self._write_items([_bare(item, hidden=bool(hidden)) for item in items], ["hidden"])

    def delete(self, items: Iterable[Id]) -> int:
        """Remove items: their metadata is gone, and they are shown no longer. Returns the new version.

        Their events stay. An item that is put again is there again.
        """
        rows = [_bare(item, deleted=True) for item in items]
        return self._write_items(rows, ["metadata", "available_from", "available_until", "deleted"])

    def item(self, item: Id) -> StoredItem | None:
        """One item; None where nothing is known of it, or it is deleted."""
        table = tables.items
        wanted = select(table).where(table.c.item == stored_id("item", item), table.c.deleted.is_(False))
        with reading(self._engine) as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else item_of(row)

    def items_changed_since(self, version: int, most: int = _PAGE) -> ItemChanges:
        """The items that were changed after ``version``, each in its latest form, deleted ones too.

        version: 0 for all, then what the last answer said. most: at least so many are given before ``more``
        says that there are more; the items of one change come together.
        """
        whole("most", most, 1)
        table = tables.items
        newer = select(table).where(table.c.version > version).order_by(table.c.version, table.c.item)
        with reading(self._engine) as connection:
            newest = int(connection.scalar(select(tables.state.c.version)) or 0)
            rows = list(connection.execute(newer.limit(most)))
            if len(rows) == most:
                last = rows[-1].version
                key = and_(table.c.version == last, table.c.item > rows[-1].item)
                rows += connection.execute(select(table).where(key).order_by(table.c.item))
                newest, more = last, last < newest
            else:
                more = False
        return ItemChanges(newest, [item_of(row) for row in rows], more)

    def item_table(self) -> Iterator[Sequence[StoredItem]]:
        """All items that are not deleted, hidden ones too, by batches in the order of their ids as kept."""
        table = tables.items
        for rows in self._pages(table, [table.c.item], table.c.deleted.is_(False)):
            yield [item_of(row) for row in rows]

    def _write_items(
        self, rows: list[dict[str, Any]], changed: Sequence[str], kept: Collection[str] = ()
    ) -> int:
        """Write rows.  changed: columns.  kept: items whose metadata stays where there is some."""
        rows = sorted(rows, key=lambda row: str(row["item"]))
        for row, other in pairwise(rows):
            if row["item"] == other["item"]:
                raise ItemsError(f"item {brief(given_id(row['item']))} stands twice; give each item once")
        if len(rows) > MOST_ITEMS:
            raise ItemsError(f"{len(rows):,} items at once; give at most {MOST_ITEMS:,}")
        if not rows:
            return self.version()
        with writing(self._engine) as connection:
            version = _next_version(connection)
            moment_now = microseconds("now", now())
            for row in rows:
                row.update(version=version, changed_at=moment_now)
            insert = tables.upsert(connection, tables.items)
            values = {name: insert.excluded[name] for name in [*changed, "version", "changed_at"]}
            keeps = {**values, "metadata": func.coalesce(tables.items.c.metadata, insert.excluded.metadata)}
            for set_, is_kept in ((values, False), (keeps, True)):
                put = [row for row in rows if (row["item"] in kept) is is_kept]
                if put:
                    connection.execute(insert.on_conflict_do_update(index_elements=["item"], set_=set_), put)
        return version

    # events and histories

    def add_events(
        self, batch: Sequence[Event | Mapping[str, Any]], received: datetime | None = None
    ) -> EventCounts:
        """Keep the events of a batch that are not kept yet, and what they say of histories, all or none.

        batch: events, or their fields as they come in JSON; one that cannot be kept is refused with the
        reason, and the others are kept. An event whose id is known is passed over and counted, whatever else
        it says. received: when the batch came; now by default.
        Raises ParameterError for more than 10,000 events at once.
        """
        rows, refused = event_rows(batch, received or now())
        first: dict[str, dict[str, Any]] = {}
        for row in rows:
            first.setdefault(row["event"], row)
        new: list[dict[str, Any]] = []
        if first:
            with writing(self._engine) as connection:
                tables.hold_numbers(connection)
                new = self._add_new(connection, list(first.values()))
                self._add_to_histories(connection, history_rows(new))
        return EventCounts(
            new=len(new),
            repeated=len(rows) - len(new),
            late=sum(row["late"] for row in new),
            future=sum(row["future"] for row in new),
            refused=refused,
        )

    def history(self, user: Id, most: int = 1_000) -> History:
        """The latest clicks and dislikes of a user, at most ``most`` of each, the newest first.

        The last word on an item counts: an item that was disliked after it was clicked is among the dislikes.
        A user of whom nothing is known has an empty history.
        """
        return self.version_and_history(user, most)[1]

    def version_and_history(self, user: Id, most: int = 1_000) -> tuple[int, History]:
        """``version`` and ``history`` in one read: cheap enough to ask before each answer."""
        whole("most", most, 0)
        version, clicks, dislikes = self._reads.last_words(stored_id("user", user), most)
        return version, History([given_id(item) for item in clicks], [given_id(item) for item in dislikes])

    def histories(self, users: Collection[Id]) -> dict[Id, History]:
        """Those of several users, in no order; users of whom nothing is known are left out."""
        table, keys = tables.histories, [stored_id("user", user) for user in users]
        said: dict[Id, History] = {}
        for first in range(0, len(keys), _USERS):
            wanted = table.c.user.in_(keys[first : first + _USERS])
            with reading(self._engine) as connection:
                rows = connection.execute(
                    select(table.c.user, table.c.item, table.c.type).where(wanted)
                ).all()
            for user, item, kind in rows:
                history = said.setdefault(given_id(user), History())
                of_kind = history.clicks if kind == "click" else history.dislikes
                of_kind.append(given_id(item))
        return said

    def users(self, most: int) -> list[Id]:
        """Users of whom a click or a dislike is known, the first in the order of the ids as kept."""
        table = tables.histories
        first = select(func.min(table.c.user).label("user")).cte("each", recursive=True)
        next_ = select(func.min(table.c.user)).where(table.c.user > first.c.user).scalar_subquery()
        each = first.union_all(select(next_).where(first.c.user.is_not(None)))
        wanted = select(each.c.user).where(each.c.user.is_not(None)).limit(whole("most", most, 0))
        with reading(self._engine) as connection:
            return [given_id(user) for user in connection.scalars(wanted)]

    def clicks(self) -> Iterator[pl.DataFrame]:
        """The last word of every user on every item, by batches of rows in the order of the ids as kept.

        user_id and item_id as they are kept (``given_id`` reads them), type (click or dislike), and time, in
        UTC.
        """
        table = tables.histories
        for rows in self._pages(table, [table.c.user, table.c.item]):
            yield pl.DataFrame(
                [(row.user, row.item, row.type, row.time) for row in rows],
                schema={"user_id": pl.String, "item_id": pl.String, "type": pl.String, "time": pl.Int64},
                orient="row",
            ).with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))

    def export_events(self, folder: Address, rows_per_file: int = 1_000_000) -> int:
        """Write the rows that are not there yet to Parquet files in ``folder``. Returns the number of events.

        As ``isotherm.serving.database.export.export_tables`` says.
        """
        with told(self._engine):
            return export_tables(self._engine, folder, rows_per_file)["events"]

    def _add_new(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Insert the events that are not there; those, numbered in the order of ``rows``.

        Writers of PostgreSQL insert in one order, whatever that of their batches, so that no two wait for
        each other; SQLite has one writer at a time.
        """
        table = tables.events
        if self._engine.dialect.name == "postgresql":
            taken = sorted(connection.scalars(text(_TAKE_NUMBERS), {"n": len(rows)}))
            numbered = [{**row, "number": number} for row, number in zip(rows, taken, strict=True)]
            rows = sorted(numbered, key=lambda row: str(row["event"]))
        by_event = {row["event"]: row for row in rows}
        insert = tables.upsert(connection, table).on_conflict_do_nothing(index_elements=["event"])
        added = connection.execute(insert.returning(table.c.event, table.c.number), list(rows))
        return [{**by_event[event], "number": number} for event, number in added]

    def _add_to_histories(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        if not rows:
            return
        table, insert = tables.histories, tables.upsert(connection, tables.histories)
        said = insert.excluded
        later = or_(said.time > table.c.time, and_(said.time == table.c.time, said.number > table.c.number))
        values = {name: said[name] for name in ("type", "time", "number")}
        connection.execute(
            insert.on_conflict_do_update(index_elements=["user", "item"], set_=values, where=later), rows
        )

    # what was shown, and by which model

    def log_exposures(self, lists: Sequence[Exposure]) -> int:
        """Keep what was shown. Returns how many lists. Raises ParameterError for what cannot be kept."""
        rows = [exposure_row(each) for each in lists]
        if rows:
            with writing(self._engine) as connection:
                tables.hold_numbers(connection)
                connection.execute(tables.exposures.insert(), rows)
        return len(rows)

    def exposures(self) -> Iterator[Sequence[Exposure]]:
        """The lists that were shown, by batches in the order in which they were kept."""
        table = tables.exposures
        for rows in self._pages(table, [table.c.number]):
            yield [exposure_of(row) for row in rows]

    def drop_exposures(self, before: datetime, most: int = _PAGE) -> int:
        """Forget lists that were shown before this time, at most so many. Returns how many."""
        table = tables.exposures
        old = select(table.c.number).where(table.c.time < microseconds("before", before)).limit(most)
        with writing(self._engine) as connection:
            return int(connection.execute(table.delete().where(table.c.number.in_(old))).rowcount)

    def log_swap(
        self,
        path: str,
        model: str,
        action: str = "swap",
        generation: int | None = None,
        content: str | None = None,
        of: Of = None,
    ) -> int:
        """Keep that a model goes on the air. Returns the new version, by which other workers learn of it.

        path: the model's folder.  model: its name.  action: swap, or rollback to an earlier model.
        generation, content: as ModelSwap says; a generation is given with a rollback.
        of: the experiment and its arm whose model it is; None for the server's own.
        """
        if action not in ("swap", "rollback"):
            raise ParameterError(f"action is swap or rollback, not {brief(action)}")
        with writing(self._engine) as connection:
            return _add_swap(connection, (action, path, model), generation, content, of)

    def log_start(
        self, path: str, model: str, content: str | None, given: str, seen: int, of: Of = None
    ) -> int:
        """Keep that a server starts with a model, unless the database says so already; the version then.

        path: the model's folder.  given: that which the server was told to serve; another where a swap came
        since.  seen: version of the newest swap that the choice was made by; where there is a newer one,
        nothing is kept: that one is on the air.
        """
        table = tables.model_swaps
        with writing(self._engine) as connection:
            version = int(connection.execute(select(tables.state.c.version).with_for_update()).scalar_one())
            newest = connection.execute(_newest(of)).one_or_none()
            started = connection.execute(_newest(of, table.c.action == "start")).one_or_none()
            if newest is not None and newest.version > seen:
                return version
            is_known = newest is not None and (newest.path, newest.content) == (path, content)
            if is_known and started is not None and started.path == given:
                return version
            action = "start" if path == given else "swap"
            return _add_swap(connection, (action, path, model), None, content, of)

    def started_with(self, of: Of = None) -> str | None:
        """The folder that the last server was told to serve; None before the first."""
        table = tables.model_swaps
        with reading(self._engine) as connection:
            row = connection.execute(_newest(of, table.c.action == "start")).one_or_none()
        return None if row is None else str(row.path)

    def on_air(self, of: Of = None) -> OnAir:
        """Which model is on the air, and which was before: the one that a roll back puts there."""
        table = tables.model_swaps
        with reading(self._engine) as connection:
            newest = connection.execute(_newest(of)).one_or_none()
            if newest is None:
                return OnAir()
            now_on = _swap_of(newest)
            other = func.coalesce(table.c.generation, table.c.version) != now_on.generation
            before = connection.execute(_newest(of, other)).one_or_none()
        return OnAir(now_on, None if before is None else _swap_of(before))

    def last_swaps(self, most: int = 10, of: Of = None) -> Sequence[ModelSwap]:
        """The latest swaps, the newest first; the first is the model on the air."""
        with reading(self._engine) as connection:
            return [_swap_of(row) for row in connection.execute(_newest(of, most=most))]

    def _pages(self, table: Any, key: Sequence[Any], *where: Any) -> Iterator[Sequence[Any]]:
        """All rows by pages, each read for itself: no read holds the database for long."""
        last: tuple[Any, ...] | None = None
        while True:
            page = select(table).where(*where).order_by(*key).limit(_PAGE)
            if last is not None:
                page = page.where(tuple_(*key) > last)
            with reading(self._engine) as connection:
                rows = connection.execute(page).all()
            if not rows:
                return
            last = tuple(getattr(rows[-1], column.name) for column in key)
            yield rows


def _migrate(url: str) -> None:
    """Bring the tables to their newest form, however long it takes."""
    from isotherm.serving.database.migrating import migrate

    engine = opened(url)
    try:
        with writing(engine) as connection:
            migrate(connection)
    finally:
        engine.dispose()


def _next_version(connection: Connection) -> int:
    """The number of this change. Its row is held until the transaction ends, so that numbers are in order."""
    table = tables.state
    change = update(table).values(version=table.c.version + 1).returning(table.c.version)
    return int(connection.execute(change).scalar_one())


def _bare(item: Id, hidden: bool = False, deleted: bool = False) -> dict[str, Any]:
    """The row of an item of which nothing else is said."""
    return {
        "item": stored_id("item", item),
        "metadata": None,
        "available_from": None,
        "available_until": None,
        "hidden": hidden,
        "deleted": deleted,
    }


def _newest(of: Of, *where: Any, most: int = 1) -> Select[Any]:
    """Models that went on the air for an arm, or as the server's own; the newest first."""
    table, (experiment, arm) = tables.model_swaps, of or (None, None)
    theirs = (table.c.experiment == experiment, table.c.arm == arm)  # of None: IS NULL
    return select(table).where(*theirs, *where).order_by(table.c.version.desc()).limit(most)


def _add_swap(
    connection: Connection,
    said: tuple[str, str, str],
    generation: int | None,
    content: str | None,
    of: Of,
) -> int:
    """A row of what is ``said``: action, path and model. Returns its version."""
    for what, given in zip(("action", "path", "model"), said, strict=True):
        check_text(what, given, 10_000)
    version = _next_version(connection)
    row = dict(zip(("action", "path", "model"), said, strict=True))
    more = {"generation": generation or version, "content": content, "time": microseconds("now", now())}
    more |= dict(zip(("experiment", "arm"), of or (None, None), strict=True))
    connection.execute(tables.model_swaps.insert(), {**row, **more, "version": version})
    return version


def _swap_of(row: Any) -> ModelSwap:
    generation = row.version if row.generation is None else row.generation
    return ModelSwap(row.action, row.path, row.model, moment(row.time), row.version, generation, row.content)
