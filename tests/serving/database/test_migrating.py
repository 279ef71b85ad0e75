"""Tables come to their newest form from nothing and from every earlier one, and keep what they hold."""

import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from isotherm.errors import DatabaseError
from isotherm.serving.database import Database, tables
from isotherm.serving.database.connections import opened, reading, writing
from isotherm.serving.database.form import NEWEST, is_newest
from isotherm.serving.database.migrating import _FOLDER, migrate

SCRIPT = ScriptDirectory(str(_FOLDER))
EARLIER = [step.revision for step in SCRIPT.walk_revisions() if step.revision != NEWEST]


def differences(engine):
    """What Alembic would still have to do for the tables to be as they are declared."""
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, tables.metadata)


def test_the_newest_is_the_head():
    assert SCRIPT.get_current_head() == NEWEST


def test_an_empty_database_gets_the_declared_tables(database):
    assert differences(database._engine) == []
    assert len(database.identity()) == 32


@pytest.mark.parametrize("earlier", EARLIER)
def test_every_earlier_form_is_brought_up_and_keeps_its_rows(url, earlier):
    engine = opened(url)
    with writing(engine) as connection:
        migrate(connection, earlier)
        connection.execute(
            text("INSERT INTO items (item, metadata, hidden, deleted, version, changed_at) "
                 "VALUES ('t🎬', '{\"a\": 1}', false, false, 1, 1)")
        )  # fmt: skip
        connection.execute(text("UPDATE state SET version = 1"))
        identity = connection.scalar(text("SELECT database FROM state"))
        assert not is_newest(connection)
    with Database.open(url) as database:
        assert database.item("🎬").metadata == {"a": 1}
        assert (database.identity(), database.version()) == (identity, 1)
        assert differences(engine) == []
        database.log_swap("/models/a", "marec")
    with reading(engine) as connection:
        assert is_newest(connection)
    engine.dispose()


def test_a_newer_form_is_refused(url):
    with Database.open(url) as database, writing(database._engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match=r"form 9999.*update isotherm"):
        Database.open(url)


def test_the_tables_of_others_are_left_alone(url):
    engine = opened(url)
    with writing(engine) as connection:
        assert not is_newest(connection)
        connection.execute(text("CREATE TABLE items (name TEXT)"))
    with pytest.raises(DatabaseError, match="of another program"):
        Database.open(url)
    with reading(engine) as connection:
        assert connection.execute(text("SELECT * FROM items")).all() == []
    engine.dispose()


def test_many_may_start_at_once(url):
    identities, failed = [], []

    def start():
        try:
            with Database.open(url) as database:
                identities.append(database.identity())
        except Exception as cause:
            failed.append(cause)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(identities) == 8
    assert len(set(identities)) == 1


def test_what_was_shown_item_by_item_becomes_lists(url):
    engine = opened(url)
    with writing(engine) as connection:
        migrate(connection, "0002")
        for request, item, rank, cold in (
            ("tr2", "t9", 1, True),
            ("tr1", "n8", 2, True),
            ("tr1", "t7", 1, False),
        ):
            connection.execute(
                text('INSERT INTO exposures (request, "user", item, rank, cold, model, time) '
                     "VALUES (:request, 'tann', :item, :rank, :cold, 'marec', 1)"),
                {"request": request, "item": item, "rank": rank, "cold": cold},
            )  # fmt: skip
    with Database.open(url) as database:
        found = [
            (each.request, each.user, each.items, each.cold) for page in database.exposures() for each in page
        ]
        assert found == [("r1", "ann", ["7", 8], [2]), ("r2", "ann", ["9"], [1])]
    engine.dispose()
