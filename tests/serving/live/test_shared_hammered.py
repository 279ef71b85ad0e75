"""Two workers of one database, many threads: every answer is held against what was acknowledged before it."""

import random
import threading
from collections import defaultdict
from itertools import count

import pytest

from isotherm.serving.catalogue.items import LiveItem
from isotherm.serving.database import Database
from isotherm.serving.live.requests import Asker, Rules
from isotherm.serving.shared.shared import SharedModel

N_WRITERS, N_READERS, N_ROUNDS = 3, 3, 14
GENRE = {"genres": ["space"]}


class Ledger:
    """What writers were told is done: noted before a change is made, and again when it was acknowledged.

    A reader demands what held during the whole of its answer.
    """

    def __init__(self):
        self._lock, self._stamps = threading.Lock(), count()
        self._hidden = {}  # item -> whether it is hidden, None while that changes; and which change it was
        self._said = defaultdict(dict)  # user -> item -> click, dislike, or None while that changes

    def changes(self, item, hidden=None):
        with self._lock:
            self._hidden[item] = hidden, next(self._stamps)

    def says(self, user, item, kind=None):
        with self._lock:
            self._said[user][item] = kind, next(self._stamps)

    def state(self, user):
        """Hidden and shown items, what a user clicked and disliked; each with the change that made it so."""
        with self._lock:
            items, said = self._hidden.items(), self._said[user].items()
            hidden = {(item, stamp) for item, (is_hidden, stamp) in items if is_hidden}
            shown = {(item, stamp) for item, (is_hidden, stamp) in items if is_hidden is False}
            clicked = {(item, stamp) for item, (kind, stamp) in said if kind == "click"}
            disliked = {(item, stamp) for item, (kind, stamp) in said if kind == "dislike"}
            return hidden, shown, clicked, disliked


def write(number, workers, ledger, go_on):
    """Items and users of its own, each change by a worker chosen by lot."""
    lot, users = random.Random(number), [f"w{number}-{n}" for n in range(3)]
    for step in range(N_ROUNDS):
        worker, item = lot.choice(workers), f"new{number}-{lot.randrange(4)}"
        ledger.changes(item)
        what = lot.randrange(4)
        if what == 0:
            worker.put_items([LiveItem(item, GENRE), LiveItem(f"{item}-pair", GENRE)])
            ledger.changes(item, False)
        elif what == 1:
            worker.put_items([LiveItem(item, hidden=True)])
            ledger.changes(item, True)
        elif what == 2:
            worker.put_items([LiveItem(item, GENRE, available_until=4e9)])
            ledger.changes(item, False)
        else:
            worker.put_items([LiveItem(item, GENRE)])
            worker.remove_item(item)
            ledger.changes(item, True)
        user, kind, seen = lot.choice(users), lot.choice(["click", "dislike"]), f"f{lot.randrange(24):02}"
        events = [{"id": f"{number}-{step}", "type": kind, "user": user, "item": seen}]
        ledger.says(user, seen)
        assert lot.choice(workers).add_events(events * 2).new == 1
        ledger.says(user, seen, kind)
    go_on.release()


def read(number, workers, ledger, done, wrong):
    lot = random.Random(100 + number)
    while not done.is_set():
        user, worker = f"w{lot.randrange(N_WRITERS)}-{lot.randrange(3)}", lot.choice(workers)
        rules = Rules(exclude_seen=lot.random() < 0.5)
        before = ledger.state(user)
        answer = {item.item_id for item in worker.recommend(Asker(user=user), 200, rules).items}
        held = [{item for item, _ in old & new} for old, new in zip(before, ledger.state(user), strict=True)]
        hidden, shown, clicked, disliked = held
        stale, missing = hidden & answer, shown - answer
        said = (clicked | disliked if rules.exclude_seen else disliked) & answer
        if stale or missing or said:
            wrong.append((user, rules.exclude_seen, stale, missing, said))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_answer_is_older_than_what_was_acknowledged(kind, request, tmp_path, neighbours):
    url = f"sqlite:///{tmp_path}/live.db"
    if kind == "postgresql":
        url = request.getfixturevalue("server").make("hammered")
    neighbours.save(tmp_path / "model")
    neighbours.save(tmp_path / "second")
    databases = [Database.open(url) for _ in range(2)]
    workers = [SharedModel.open(str(tmp_path / "model"), database) for database in databases]
    ledger, done, wrong, finished = Ledger(), threading.Event(), [], threading.Semaphore(0)
    failed = []

    def guarded(job, *arguments):
        def run():
            try:
                job(*arguments)
            except Exception as cause:
                failed.append(cause)
                finished.release()
                raise

        return threading.Thread(target=run)

    writers = [guarded(write, n, workers, ledger, finished) for n in range(N_WRITERS)]
    readers = [guarded(read, n, workers, ledger, done, wrong) for n in range(N_READERS)]
    for thread in [*writers, *readers]:
        thread.start()
    workers[0].swap(str(tmp_path / "second"))
    workers[1].roll_back()
    workers[0].swap(str(tmp_path / "second"))
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert failed == []
    assert wrong == []
    names = []
    for worker in workers:
        worker.snapshot  # noqa: B018  # takes what is new
        worker._following.wait()
        names.append(worker.recommend(Asker(user="u1"), 200))
        worker.close()
    assert names[0].model == "second"
    assert {item.item_id for item in names[0].items} == {item.item_id for item in names[1].items}
    for database in databases:
        database.close()
