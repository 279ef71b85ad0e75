"""What was shown by a row for each list; and which model a roll back puts on the air again."""

import json
from itertools import groupby

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_AT_ONCE = 1_000


def upgrade() -> None:
    """Put the rows of each list together; name the row by which each model came."""
    before = op.get_bind().execute(
        sa.text('SELECT request, "user", item, rank, cold, model, time FROM exposures ORDER BY request, rank')
    )
    lists = []
    for request, group in groupby(before, lambda row: row.request):
        rows = list(group)
        lists.append(
            {
                "request": request,
                "user": rows[0].user,
                "items": json.dumps([row.item for row in rows]),
                "cold": json.dumps([row.rank for row in rows if row.cold]),
                "model": rows[0].model,
                "time": rows[0].time,
            }
        )
    op.drop_table("exposures")
    table = op.create_table(
        "exposures",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("request", _ID, nullable=False),
        sa.Column("user", _ID),
        sa.Column("items", sa.Text, nullable=False),
        sa.Column("cold", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("exposures_by_time", "exposures", ["time"])
    for first in range(0, len(lists), _AT_ONCE):
        op.bulk_insert(table, lists[first : first + _AT_ONCE])
    op.add_column("model_swaps", sa.Column("generation", sa.BigInteger))
    op.add_column("model_swaps", sa.Column("content", sa.Text))
