"""What was shown, and which model was on the air."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add two tables; the others stay as they are."""
    op.create_table(
        "exposures",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("request", _ID, nullable=False),
        sa.Column("user", _ID),
        sa.Column("item", _ID, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("cold", sa.Boolean, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("exposures_by_time", "exposures", ["time"])
    op.create_table(
        "model_swaps",
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
    )
