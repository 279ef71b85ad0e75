"""Experiments: their plans, the arm of each user, what lists were drawn by, and models of arms."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables; lists and swaps until now are of no experiment."""
    op.create_table(
        "experiments",
        sa.Column("experiment", _ID, primary_key=True),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("weights", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "assignments",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("experiment", _ID, nullable=False),
        sa.Column("user", _ID, nullable=False),
        sa.Column("arm", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("weights", sa.Integer, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("assignments_of_user", "assignments", ["user", "experiment"], unique=True)
    op.create_index("assignments_by_arm", "assignments", ["experiment", "arm"])
    for name in ("experiments", "propensities", "teams"):
        op.add_column("exposures", sa.Column(name, sa.Text))
    for name in ("experiment", "arm"):
        op.add_column("model_swaps", sa.Column(name, sa.Text))
