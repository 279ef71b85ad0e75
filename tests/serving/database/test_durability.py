"""What was acknowledged is there after ``kill -9``, whole; and several processes write at once."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from isotherm.errors import DatabaseError
from isotherm.serving.database import Database, StoredItem
from isotherm.serving.database.connections import writing
from tests.serving.database.writer import BATCH, events

ROOT = Path(__file__).parents[3]


def start(url, writer, most=10**6):
    command = [sys.executable, "-m", "tests.serving.database.writer", url, writer, str(most)]
    return subprocess.Popen(
        command, cwd=ROOT, env=os.environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def acknowledged(process, least):
    """Read ``least`` acknowledgements; the process goes on writing."""
    said = [int(process.stdout.readline()) for _ in range(least)]
    assert said == list(range(least))
    return least


def check(url, writer, n_acknowledged):
    """Nothing acknowledged is lost, nothing is half written, and what is sent again counts as repeated."""
    with Database.open(url) as database:
        kept = Counter()
        for frame in database.clicks():
            kept.update(frame["user_id"].to_list())
        kept = {user: n for user, n in kept.items() if user.startswith(f"t{writer}-")}
        assert set(kept.values()) == {BATCH}
        assert set(kept) >= {f"t{writer}-{number}" for number in range(n_acknowledged)}
        items = {item.id for page in database.item_table() for item in page}
        assert items >= {f"{writer}-{number}" for number in range(n_acknowledged)}
        for number in range(len(kept) + 1):  # the last one may or may not be there
            again = database.add_events(events(writer, number))
            whole = BATCH if f"t{writer}-{number}" in kept else 0
            assert (again.new, again.repeated) == (BATCH - whole, whole)


@pytest.mark.long
def test_a_killed_writer_loses_nothing_acknowledged(url):
    writers = {f"w{n}": start(url, f"w{n}") for n in range(2)}
    try:
        said = {name: acknowledged(writer, 15 + 4 * n) for n, (name, writer) in enumerate(writers.items())}
    finally:
        for writer in writers.values():
            writer.kill()
    for name, writer in writers.items():
        rest, errors = writer.communicate()
        assert errors == ""
        check(url, name, said[name] + rest.count("\n"))


@pytest.mark.long
def test_a_killed_server_loses_nothing_acknowledged(server):
    url = server.make("killed")
    writer = start(url, "w")
    said = acknowledged(writer, 20)
    server.kill()
    rest, errors = writer.communicate(timeout=60)
    assert errors.startswith("DatabaseError: --db postgresql")
    assert server.password not in errors
    for _ in range(50):  # shared memory of the killed one is let go of by the system
        try:
            server.start()
            break
        except AssertionError:
            time.sleep(0.1)
    check(url, "w", said + rest.count("\n"))


@pytest.mark.long
def test_several_processes_write_at_once(url):
    writers = {f"w{n}": start(url, f"w{n}", 40) for n in range(4)}
    for name, writer in writers.items():
        out, errors = writer.communicate(timeout=240)
        assert errors == ""
        assert out.split() == [str(n) for n in range(40)], name
    with Database.open(url) as database:
        assert sum(len(frame) for frame in database.clicks()) == 4 * 40 * BATCH
        changes = database.items_changed_since(0)
    assert [item.version for item in changes.items] == list(range(1, 4 * 40 + 1))


def test_a_database_that_stays_busy_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("isotherm.serving.database.connections.BUSY_SECONDS", 0.1)
    url = f"sqlite:///{tmp_path}/live.db"
    with (
        Database.open(url) as database,
        Database.open(url) as other,
        writing(other._engine),
        pytest.raises(DatabaseError, match="is busy"),
    ):
        database.put_items([StoredItem(1)])
    with Database.open(url) as database:
        assert database.version() == 0
