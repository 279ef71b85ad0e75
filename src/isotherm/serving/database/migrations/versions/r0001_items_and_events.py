"""Items, events, and the histories that follow from the events."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables of an empty database."""
    state = op.create_table(
        "state",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("database", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(state, [{"id": 1, "database": secrets.token_hex(16), "version": 0}])
    op.create_table(
        "items",
        sa.Column("item", _ID, primary_key=True),
        sa.Column("metadata", sa.Text),
        sa.Column("available_from", sa.BigInteger),
        sa.Column("available_until", sa.BigInteger),
        sa.Column("hidden", sa.Boolean, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )
    op.create_index("items_by_version", "items", ["version", "item"])
    _make_events()
    _make_histories()


def _make_events() -> None:
    op.create_table(
        "events",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("event", _ID, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("user", _ID, nullable=False),
        sa.Column("item", _ID, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("late", sa.Boolean, nullable=False),
        sa.Column("future", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("events_by_event", "events", ["event"], unique=True)


def _make_histories() -> None:
    op.create_table(
        "histories",
        sa.Column("user", _ID, primary_key=True),
        sa.Column("item", _ID, primary_key=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("number", _NUMBER, sa.ForeignKey("events.number"), nullable=False),
    )
    op.create_index("histories_latest", "histories", ["user", "type", "time", "number", "item"])
