"""The tables of the serving database. Their steps from form to form are in ``migrations``.

Times are microseconds since 1970 in UTC. Ids are as ``stored_ids`` keeps them.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects import postgresql, sqlite

#: ids compare byte by byte, whatever the language of the server
ID = Text().with_variant(Text(collation="C"), "postgresql")
#: SQLite numbers rows by itself only where the type is INTEGER
NUMBER = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

#: one row: who this database is, and the number of the last change of an item or of the model
state = Table(
    "state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("database", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
)
#: the latest form of each item; a deleted one stays, so that others learn that it went
items = Table(
    "items",
    metadata,
    Column("item", ID, primary_key=True),
    Column("metadata", Text),  # JSON, ASCII only; null where nothing but hidden or deleted was said
    Column("available_from", BigInteger),
    Column("available_until", BigInteger),
    Column("hidden", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Index("items_by_version", "version", "item"),
)
#: all that was told, once each
events = Table(
    "events",
    metadata,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("event", ID, nullable=False),
    Column("type", Text, nullable=False),
    Column("user", ID, nullable=False),
    Column("item", ID, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("value", Double),
    Column("late", Boolean, nullable=False),
    Column("future", Boolean, nullable=False),
    Index("events_by_event", "event", unique=True),
    sqlite_autoincrement=True,  # a number is never given twice
)
#: the last word of a user on an item, a click or a dislike: derived from the events, in their transaction
histories = Table(
    "histories",
    metadata,
    Column("user", ID, primary_key=True),
    Column("item", ID, primary_key=True),
    Column("type", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("number", NUMBER, ForeignKey("events.number"), nullable=False),
    Index("histories_latest", "user", "type", "time", "number", "item"),
)
#: what was shown: a row for each list
exposures = Table(
    "exposures",
    metadata,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("request", ID, nullable=False),
    Column("user", ID),
    Column("items", Text, nullable=False),  # JSON: ids in the order of the list
    Column("cold", Text, nullable=False),  # JSON: ranks of its new items
    Column("model", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("experiments", Text),  # JSON: pairs of experiment and arm; null where the user was in none
    Column("propensities", Text),  # JSON: of each item at its rank; null where nothing was drawn
    Column("teams", Text),  # JSON: whose each item is, where two lists were interleaved
    Index("exposures_by_time", "time"),
    sqlite_autoincrement=True,
)
#: the plan of each experiment as it was served last
experiments = Table(
    "experiments",
    metadata,
    Column("experiment", ID, primary_key=True),
    Column("plan", Text, nullable=False),  # JSON
    Column("weights", Integer, nullable=False),  # how many times the weights of its arms were set
    Column("changed_at", BigInteger, nullable=False),
)
#: the arm in which a user was shown the first list of an experiment
assignments = Table(
    "assignments",
    metadata,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("experiment", ID, nullable=False),
    Column("user", ID, nullable=False),
    Column("arm", Text, nullable=False),
    Column("reason", Text, nullable=False),  # hash or override
    Column("weights", Integer, nullable=False),
    Column("time", BigInteger, nullable=False),
    Index("assignments_of_user", "user", "experiment", unique=True),
    Index("assignments_by_arm", "experiment", "arm"),
    sqlite_autoincrement=True,
)
#: which model is on the air, since when
model_swaps = Table(
    "model_swaps",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("action", Text, nullable=False),  # start, swap or rollback
    Column("path", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("generation", BigInteger),  # version of the row by which this model came; null: this row
    Column("content", Text),  # what tells the folder's model from another that is put there later
    Column("experiment", Text),  # whose model it is; null, with the arm: the server's own
    Column("arm", Text),
)
NUMBERS_LOCK = 0x1507E5  #: of PostgreSQL's advisory locks: shared by who adds rows, held by who exports


def upsert(connection: Connection, table: Table) -> Any:
    """An insert that may meet what is there already; what then, ``on_conflict_…`` of it says."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def hold_numbers(connection: Connection) -> None:
    """Let an export wait until the numbers that this transaction takes are there to be read."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock_shared({NUMBERS_LOCK})")
