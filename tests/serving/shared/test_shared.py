"""What one worker was told, the next answer of every worker shows; and a restart forgets nothing."""

import secrets
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from isotherm import EASE, ContentKNN, Interactions, Items, load
from isotherm.errors import (
    DatabaseError,
    ItemsError,
    ModelFolderError,
    ParameterError,
    UnknownIdError,
    UnsupportedError,
)
from isotherm.serving.catalogue.items import LiveItem
from isotherm.serving.catalogue.readable import left_out
from isotherm.serving.database import Database, StoredItem
from isotherm.serving.live.model import LiveModel
from isotherm.serving.live.requests import Asker, Rules
from isotherm.serving.shared.shared import SharedModel
from tests.serving.conftest import N_ITEMS

NEW = {"title": "New", "genres": ["space"]}
EVERYTHING = 60


def ids(answer):
    return [item.item_id for item in answer.items]


def click(user, item, kind="click", **more):
    return {"id": secrets.token_hex(8), "type": kind, "user": user, "item": item, **more}


class Workers:
    """Two workers on one database, as two processes would be; and those that start later."""

    def __init__(self, url, folder):
        self.url, self.folder, self.opened = url, folder, []
        self.one, self.two = self.start(), self.start()

    def start(self, folder=None, **options):
        database = Database.open(self.url)
        worker = SharedModel.open(str(folder or self.folder), database, **options)
        self.opened.append((worker, database))
        return worker

    def opened_workers(self):
        return [worker for worker, _ in self.opened]

    def close(self):
        for worker, database in self.opened:
            worker.close()
            database.close()


@pytest.fixture(scope="session")
def folder(neighbours, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "first"
    neighbours.save(folder)
    return folder


@pytest.fixture
def workers(url, folder):
    workers = Workers(url, folder)
    yield workers
    workers.close()


def test_a_click_counts_at_once_everywhere(workers, neighbours):
    user = Asker(user="u3")
    before = ids(workers.two.recommend(user, EVERYTHING))
    first = before[0]
    counts = workers.one.add_events([click("u3", first)])
    assert (counts.new, counts.repeated) == (1, 0)
    weighted = dict(zip(*history(neighbours, "u3"), strict=True)) | {first: 1.0}
    expected = neighbours.recommend_for([weighted], EVERYTHING)["item_id"].to_list()
    for worker in (workers.one, workers.two):
        assert ids(worker.recommend(user, EVERYTHING)) == expected
    workers.two.add_events([click("u3", first, "dislike")])
    for worker in (workers.one, workers.two):
        assert ids(worker.recommend(user, EVERYTHING)) == [item for item in before if item != first]
        every = worker.recommend(user, EVERYTHING, Rules(exclude_seen=False))
        assert set(ids(every)) == {f"f{n:02}" for n in range(N_ITEMS)} - {first}


def history(model, user):
    row = model.users_.row_of[user]
    clicks = model.histories_of(np.array([row]))
    return model.items_.take(clicks.indices).to_list(), clicks.data.tolist()


def test_a_dislike_of_a_fitted_click_takes_it_out(workers, neighbours):
    items, _ = history(neighbours, "u5")
    workers.one.add_events([click("u5", items[0], "dislike")])
    expected = neighbours.recommend_for([items[1:]], EVERYTHING)["item_id"].to_list()
    found = ids(workers.two.recommend(Asker(user="u5"), EVERYTHING))
    assert found == [item for item in expected if item != items[0]]
    scores = workers.two.score(Asker(user="u5"), ["f20"])
    assert scores == workers.one.score(Asker(history=[(item, 1.0) for item in items[1:]]), ["f20"])
    assert items[0] not in workers.one.explain(Asker(user="u5"), "f20").by_item["item_id"].to_list()


def test_a_user_of_the_database_alone_is_known(workers):
    answer = workers.two.recommend(Asker(user="dan"), 5)
    assert (answer.answered_by, answer.unknown) == ("popularity", 1)
    workers.one.add_events([click("dan", "f01"), click("dan", "f04"), click("dan", "nothing")])
    answer = workers.two.recommend(Asker(user="dan"), 5, Rules(unknown="refuse"))
    same = workers.two.recommend(Asker(history=[("f01", 1.0), ("f04", 1.0)]), 5)
    assert (answer.items, answer.answered_by, answer.unknown) == (same.items, "model", 0)
    with pytest.raises(UnknownIdError, match="eve"):
        workers.two.recommend(Asker(user="eve"), 5, Rules(unknown="refuse"))


def test_items_of_one_worker_are_those_of_all(workers):
    user, new = Asker(user="u1"), Rules(candidates=["new"])
    version = workers.one.put_items([LiveItem("new", NEW)])
    assert ids(workers.two.recommend(user, rules=new)) == ["new"]
    assert workers.two.version == workers.one.version == version
    workers.two.put_items([LiveItem("new", hidden=True), LiveItem("f01", hidden=True)])
    assert ids(workers.one.recommend(user, rules=Rules(candidates=["new", "f01"]))) == []
    workers.one.put_items([LiveItem("new", available_until=4e9)])  # with the metadata that was put before
    assert workers.two.recommend(user, rules=new).items[0].title == "New"
    later = workers.start()
    assert later.recommend(user, rules=new) == workers.one.recommend(user, rules=new)
    assert "f01" not in ids(later.recommend(Asker(history=[]), EVERYTHING))
    workers.two.remove_item("new")
    for worker in (workers.one, later, workers.start()):
        assert ids(worker.recommend(user, rules=new)) == []
        with pytest.raises(UnknownIdError, match="put it first"):
            worker.remove_item("new")
        with pytest.raises(UnknownIdError, match="put it first"):
            worker.similar("new")


def test_columns_that_items_left_go_in_the_background(workers, monkeypatch):
    monkeypatch.setattr("isotherm.serving.shared.following.MOST_LEFT", 3)
    for genre in ("space", "love", "war"):
        workers.one.put_items([LiveItem("new", {"genres": [genre]}), LiveItem("f01", hidden=True)])
    before = workers.one.snapshot
    workers.one._following.compact()
    assert workers.one.snapshot is before  # two are not many
    workers.one.remove_item("new")
    workers.one.put_items([LiveItem("newer", NEW)])
    answers = [worker.recommend(Asker(user="u3"), EVERYTHING) for worker in workers.opened_workers()]
    version = workers.one.snapshot.version
    workers.one._following.compact()
    after = workers.one.snapshot
    assert (len(before.catalogue.left), len(after.catalogue.left), after.model.n_items) == (2, 0, N_ITEMS + 1)
    assert after.version > version
    answers += [worker.recommend(Asker(user="u3"), EVERYTHING) for worker in workers.opened_workers()]
    assert all(answer == answers[0] for answer in answers)


def test_what_is_refused_is_not_stored(workers):
    version = workers.one.version
    for items, error in (
        ([LiveItem("ok", NEW), LiveItem("bad", {"genres": {"a": "b"}})], ItemsError),
        ([LiveItem("twice", NEW), LiveItem("twice", NEW)], ItemsError),
        ([LiveItem("x" * 1001, NEW)], ItemsError),
        ([LiveItem("ok", NEW, available_from=1e300)], ItemsError),
    ):
        with pytest.raises(error):
            workers.one.put_items(items)
    assert workers.two.snapshot.changes == {}
    assert workers.two.version == version


def test_events_are_typed_counted_and_refused(url, films, clicks):
    numbered = Interactions.from_csr(clicks.matrix, list(range(40)), list(range(N_ITEMS)))
    table = Items.from_frame(films.with_columns(item_id=np.arange(N_ITEMS)))
    with Database.open(url) as database:
        shared = SharedModel(LiveModel(ContentKNN().fit(numbered, table)), database)
        now = datetime.now(UTC)
        batch = [
            click("3", "7"),
            click(3, 8, time=(now - timedelta(days=2)).isoformat()),
            click(3, 9, time=(now + timedelta(days=2)).timestamp()),
            click("visitor", 5),
            click(3, "seven"),
            click(3, True),
            click(3, 1.5),
            click(True, 1),
            click(3, 2, "like"),
            {"id": 1},
            "click",
        ]
        counts = shared.add_events(batch)
        assert (counts.new, counts.late, counts.future) == (4, 1, 1)
        assert list(counts.refused) == [4, 5, 6, 7, 8, 9, 10]
        assert shared.add_events(batch).repeated == 4
        assert database.history(3).clicks == [9, 7, 8]
        seen = {7, 8, 9}
        assert not seen & set(ids(shared.recommend(Asker(user="3"), EVERYTHING)))
        assert shared.recommend(Asker(user="visitor"), 3).answered_by == "model"
        shared.close()


def test_audience_is_who_is_shown_the_item_since_the_fit(workers, clicks):
    users = [*clicks.users.values.to_list(), "dan", "eve"]
    space = [f"f{n:02}" for n in range(N_ITEMS) if n % 3 == 0][:4]
    workers.one.add_events(
        [click(user, item) for user in ("u1", "u2", "dan") for item in space]
        + [click("u3", "f20", "dislike"), click("eve", "f20", "dislike")]
    )
    for item in ("f20", "f21", "f03"):
        reached = workers.two.audience(item, 5)
        shown = [user for user in users if item in ids(workers.one.recommend(Asker(user=user), 5))]
        assert sorted(reached.users) == sorted(shown)
        assert reached.n_asked == 42
    assert "u3" not in workers.one.audience("f20", 24).users
    proposed = workers.two.audience(LiveItem("new", NEW), 5)
    workers.two.put_items([LiveItem("new", NEW)])
    assert proposed == workers.one.audience("new", 5)
    assert workers.one.audience("new", 5, most_users=7).n_asked == 7


def test_what_was_shown_is_kept(workers):
    answer = workers.one.recommend(Asker(user="u3"), 5)
    workers.one.recommend(Asker(history=[("f01", 1.0)]), 5)
    assert len(workers.one.exposures) == 1
    workers.one.close()
    database = workers.opened[0][1]
    [[kept]] = list(database.exposures())
    assert (kept.user, kept.items, kept.model) == ("u3", ids(answer), "first")
    assert kept.cold == [item.rank for item in answer.items if item.cold]


def test_a_swap_reaches_all_and_so_does_a_roll_back(workers, model, tmp_path):
    model.save(tmp_path / "second")
    workers.one.put_items([LiveItem("new", NEW)])
    workers.one.swap(str(tmp_path / "second"))
    user = Asker(user="u1")
    assert workers.one.recommend(user).model == "second"
    assert workers.two.recommend(user).model in ("first", "second")
    workers.two._following.wait()
    answer = workers.two.recommend(user, rules=Rules(candidates=["new"]))
    assert (ids(answer), answer.model) == (["new"], "second")
    assert workers.start().recommend(user).model == "second"
    workers.two.roll_back()
    assert workers.two.recommend(user).model == "first"
    for worker in (workers.one, workers.start()):
        worker.recommend(user)
        worker._following.wait()
        assert worker.recommend(user).model == "first"
    workers.one.roll_back()
    assert workers.one.recommend(user).model == "second"


def test_a_bad_swap_changes_nothing_anywhere(workers, clicks, tmp_path):
    strange = Interactions.from_csr(clicks.matrix, clicks.users.values, [f"z{n}" for n in range(N_ITEMS)])
    EASE(l2=1.0).fit(strange).save(tmp_path / "strange")
    version = workers.one.version
    for path in (tmp_path / "strange", tmp_path / "none", "/etc/passwd", "a\0b", ""):
        with pytest.raises(ModelFolderError):
            workers.one.swap(str(path))
    with pytest.raises(ParameterError, match="no model to go back to"):
        workers.two.roll_back()
    assert workers.two.recommend(Asker(user="u1")).model == "first"
    assert (workers.two.version, workers.two.failed) == (version, None)


def test_items_that_the_next_model_cannot_read_are_left_out_and_told(workers, clicks, tmp_path, caplog):
    EASE(l2=1.0).fit(clicks).save(tmp_path / "ease")
    workers.one.put_items([LiveItem("new", NEW), LiveItem("f01", {"title": "Other"})])
    workers.one.swap(str(tmp_path / "ease"))
    assert [item.item_id for item in left_out(workers.one.snapshot)] == ["new"]
    assert "left out" in caplog.text
    with pytest.raises(UnsupportedError):
        workers.one.put_items([LiveItem("newer", NEW)])
    workers.one.put_items([LiveItem("f02", hidden=True)])
    later = workers.start()
    assert "f02" not in ids(later.recommend(Asker(history=[]), EVERYTHING))
    workers.one.roll_back()
    assert ids(workers.one.recommend(Asker(user="u1"), rules=Rules(candidates=["new"]))) == ["new"]


def test_items_of_others_that_cannot_be_read_do_not_keep_a_worker_from_starting(workers):
    database = workers.opened[0][1]
    odd = [StoredItem(f"odd{n}", {"genres": {"a": "b"}}) for n in range(3)]
    good = [StoredItem("a", {"genres": "space|war"}), StoredItem("b", NEW), StoredItem("c", {"item_id": 1})]
    database.put_items([*odd, *good])
    for worker in (workers.one, workers.start()):
        found = {item.item_id for item in left_out(worker.snapshot)}
        assert found == {"odd0", "odd1", "odd2"}
        shown = ids(worker.recommend(Asker(user="u1"), EVERYTHING))
        assert {"a", "b", "c"} <= set(shown)
        assert not found & set(shown)
    workers.one.put_items([LiveItem("odd0", hidden=True)])
    database.put_items([StoredItem("f03", {"genres": {"a": "b"}})])
    everybody = Asker(history=[])
    assert workers.two.recommend(everybody, 60, Rules(candidates=["f03"])).items[0].title == "Film 3"
    workers.two.put_items([LiveItem("f03", hidden=True)])
    for worker in (workers.one, workers.two):
        assert ids(worker.recommend(everybody, rules=Rules(candidates=["f03"]))) == []
    with pytest.raises(ItemsError):
        workers.one.put_items([LiveItem("f03", {"genres": {"a": "b"}})])
    workers.one.remove_item("odd0")
    workers.one.put_items([LiveItem("c", NEW)])
    assert {item.item_id for item in left_out(workers.two.snapshot)} == {"odd1", "odd2", "f03"}


def test_a_model_that_cannot_be_loaded_here_leaves_the_one_before(url, folder, model, tmp_path, caplog):
    is_whole = [False]

    def load_here(path):
        if not is_whole[0] and path.endswith("second"):
            raise ModelFolderError("no such disk here")
        return load(path)

    workers = Workers(url, folder)
    here = workers.start(load=load_here)
    model.save(tmp_path / "second")
    workers.one.swap(str(tmp_path / "second"))
    here.recommend(Asker(user="u1"))
    here._following.wait()
    assert here.recommend(Asker(user="u1")).model == "first"
    assert (here.failed.model, here.failed.reason) == ("second", "no such disk here")
    assert "cannot go on the air here" in caplog.text
    workers.one.put_items([LiveItem("new", NEW)])
    assert ids(here.recommend(Asker(user="u1"), rules=Rules(candidates=["new"]))) == ["new"]
    here._following.retry()
    assert not here.is_loading  # it has just been tried
    is_whole[0] = True
    here._following.failed = replace(here.failed, at=-1e9)
    here._following.retry()
    here._following.wait()
    assert (here.recommend(Asker(user="u1")).model, here.failed) == ("second", None)
    workers.close()


def test_a_failed_swap_is_forgotten_once_the_model_before_is_back(url, folder, model, tmp_path):
    def load_here(path):
        if path.endswith("second"):
            raise ModelFolderError("no such disk here")
        return load(path)

    workers = Workers(url, folder)
    here = workers.start(load=load_here)
    model.save(tmp_path / "second")
    workers.one.swap(str(tmp_path / "second"))
    here.recommend(Asker(user="u1"))
    here._following.wait()
    assert here.failed
    workers.one.roll_back()
    assert here.recommend(Asker(user="u1")).model == "first"
    assert here.failed is None
    workers.close()


def test_a_folder_that_is_gone_or_replaced(workers, model, neighbours, tmp_path, caplog):
    model.save(tmp_path / "second")
    workers.one.swap(str(tmp_path / "second"))
    shutil.rmtree(tmp_path / "second")
    assert workers.start().recommend(Asker(user="u1")).model == "first"
    assert "cannot be loaded" in caplog.text
    model.save(tmp_path / "third")
    workers.one.swap(str(tmp_path / "third"))
    workers.one.swap(str(workers.folder))
    neighbours.save(tmp_path / "third")  # another model in its place
    with pytest.raises(ModelFolderError, match="another model was saved there"):
        workers.start().roll_back()
    workers.one.roll_back()  # it still has it in memory
    assert workers.one.snapshot.model.name == "kernel-ridge"


def test_a_server_that_is_told_another_folder_serves_that_one(workers, model, tmp_path):
    model.save(tmp_path / "second")
    later = workers.start(tmp_path / "second")
    for worker in (later, workers.one):
        worker.recommend(Asker(user="u1"))
        worker._following.wait()
        assert worker.recommend(Asker(user="u1")).model == "second"
    workers.one.roll_back()
    assert workers.start(tmp_path / "second").recommend(Asker(user="u1")).model == "first"


def test_a_link_to_a_folder_may_lead_elsewhere(url, model, neighbours, tmp_path):
    models = {"monday": neighbours, "tuesday": model}
    for day, each in models.items():
        each.save(tmp_path / day)
    link = tmp_path / "current"
    link.symlink_to("monday")
    workers = Workers(url, link)
    link.unlink()
    link.symlink_to("tuesday")
    workers.one.swap(str(link))
    assert workers.one.recommend(Asker(user="u1")).model == "tuesday"
    workers.start().roll_back()
    assert workers.start(tmp_path / "monday").recommend(Asker(user="u1")).model == "monday"
    assert workers.start(link).recommend(Asker(user="u1")).model == "tuesday"  # a server of another folder
    workers.close()


def test_the_keeper_follows_writes_and_ends(workers, monkeypatch, caplog):
    monkeypatch.setattr("isotherm.serving.shared.shared._TICK_SECONDS", 0.01)
    workers.two.start()
    workers.two.recommend(Asker(user="u3"), 5)
    version = workers.one.put_items([LiveItem("new", NEW)])
    while workers.two.version < version or len(workers.two.exposures):
        assert workers.two._keeper.is_alive()
    workers.two.close()
    workers.two.recommend(Asker(user="u3"), 5)
    monkeypatch.setattr(workers.two._database, "log_exposures", unreachable)
    workers.two.close()
    assert "lists that were shown and are lost: 1" in caplog.text


def unreachable(_):
    raise DatabaseError("the server cannot be reached")
