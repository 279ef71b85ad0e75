"""Brings the tables to their newest form: Alembic's steps, under a lock, all of them or none."""

from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep, StampStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from isotherm.errors import DatabaseError
from isotherm.serving.database.form import NEWEST
from isotherm.serving.database.tables import metadata

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x1507E4  # of PostgreSQL's advisory locks, the one that isotherm's migrations take


def migrate(connection: Connection, target: str = NEWEST) -> None:
    """Take the steps that are missing, in the transaction that ``connection`` is in.

    SQLite's transaction must be one that writes: it is the lock. Raises DatabaseError where the tables are
    those of a newer isotherm, or the database holds tables of others only.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    script = ScriptDirectory(str(_FOLDER))
    known = {step.revision for step in script.walk_revisions()}
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in known:
        raise DatabaseError(
            f"the database is of form {found}, which this isotherm does not know (its newest is {NEWEST}): "
            "a newer one wrote it; update isotherm"
        )
    if found is None:
        _check_unused(connection)
    if found == target:
        return

    def steps(revision: str, _: MigrationContext) -> list[StampStep | RevisionStep]:
        return list(script._upgrade_revs(target, revision))

    with EnvironmentContext(Config(), script, fn=steps, destination_rev=target) as environment:
        environment.configure(connection=connection, target_metadata=metadata)
        environment.run_migrations()


def _check_unused(connection: Connection) -> None:
    """Raise DatabaseError where a table of ours is there that no step of ours made."""
    taken = sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))
    if taken:
        raise DatabaseError(
            f"the database holds the table {taken[0]} of another program; name a database of its own"
        )
