"""What was shown waits for the database and never keeps an answer waiting; what is dropped is counted."""

from datetime import timedelta

import pytest

from isotherm.errors import DatabaseError
from isotherm.serving.database import Database, Exposure
from isotherm.serving.database.moments import now
from isotherm.serving.live.requests import Answer, Shown
from isotherm.serving.shared.exposure_log import ExposureLog


@pytest.fixture
def database(tmp_path):
    with Database.open(f"sqlite:///{tmp_path}/live.db") as database:
        yield database


def answer(*items):
    shown = [Shown(item, 1.0, rank, rank % 2 == 0, None) for rank, item in enumerate(items, start=1)]
    return Answer(shown, "model", "first", 0)


def kept(database):
    return [each for page in database.exposures() for each in page]


def test_lists_come_to_the_database_in_their_order(database):
    log = ExposureLog(database, days=90)
    for user in ("ann", 7, "bob"):
        log.add(user, answer("a", 1, "b"))
    assert len(log) == 3
    assert (log.flush(), len(log)) == (3, 0)
    assert [(each.user, each.items, each.cold, each.model) for each in kept(database)] == [
        (user, ["a", 1, "b"], [2], "first") for user in ("ann", 7, "bob")
    ]
    assert len({each.request for each in kept(database)}) == 3


def test_a_full_queue_drops_and_counts(database):
    log = ExposureLog(database, days=90, most=2)
    for _ in range(5):
        log.add("ann", answer("a"))
    assert (len(log), log.n_dropped, log.flush()) == (2, 3, 2)


def test_what_cannot_be_kept_does_not_hold_up_the_others(database, caplog):
    log = ExposureLog(database, days=90)
    for item in ("a", "x" * 2000, "b"):
        log.add("ann", answer(item))
    assert (log.flush(), log.n_dropped, len(log)) == (2, 1, 0)
    assert "not kept" in caplog.text


def test_what_is_not_written_waits_on(database, monkeypatch):
    log = ExposureLog(database, days=90)
    log.add("ann", answer("a"))

    def busy(_):
        raise DatabaseError("busy")

    with monkeypatch.context() as patched:
        patched.setattr(database, "log_exposures", busy)
        with pytest.raises(DatabaseError):
            log.flush()
    assert (len(log), log.flush()) == (1, 1)


def test_old_lists_are_forgotten(database):
    times = [now() - timedelta(days=days) for days in (100, 91, 89, 0)]
    database.log_exposures([Exposure(f"r{n}", "ann", ["a"], [], "m", time) for n, time in enumerate(times)])
    assert ExposureLog(database, days=90).forget_old() == 2
    assert [each.request for each in kept(database)] == ["r2", "r3"]
