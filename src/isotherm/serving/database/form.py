"""Which form the tables have: read without Alembic, which takes half a second to import and has nothing to do
where the form is the newest one."""

from sqlalchemy import Connection, inspect, text

NEWEST = "0004"
_TABLE = "alembic_version"  # Alembic's own, of one row


def is_newest(connection: Connection) -> bool:
    """Whether there is nothing to migrate."""
    if not inspect(connection).has_table(_TABLE):
        return False
    return connection.execute(text(f"SELECT version_num FROM {_TABLE}")).scalars().all() == [NEWEST]
