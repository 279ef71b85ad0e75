"""Users are answered as their arm says, and every first exposure is kept before it is shown."""

from dataclasses import replace

import numpy as np
import pytest

from isotherm import EASE, Interactions, load
from isotherm.errors import DatabaseError, ModelFolderError, ParameterError
from isotherm.experiment.assignment import explored, seed
from isotherm.experiment.plan import INTERLEAVED, Arm, Experiment, Exploration, Ramp, RampStep, Settings
from isotherm.serving.catalogue.items import LiveItem
from isotherm.serving.database import Database
from isotherm.serving.live.model import LiveModel
from isotherm.serving.live.requests import Asker, ExperimentAnswer, Rules
from isotherm.serving.shared.shared import SharedModel
from tests.serving.conftest import N_ITEMS

USERS = [f"u{n}" for n in range(40)]
COLD = Arm("new", settings=Settings(cold_least=2))
ALL = 60


def ids(answer):
    return [item.item_id for item in answer.items]


class Servers:
    """Servers on one database, one after the other or together, each with experiments of its own."""

    def __init__(self, url, model, now):
        self.url, self.model, self.now, self.opened = url, model, now, []

    def start(self, *plans, declare=True, model=None):
        database = Database.open(self.url)
        if declare:
            for plan in plans:
                database.experiments.declare(plan, self.now[0])
        live = LiveModel(model or self.model, "first", clock=lambda: self.now[0])
        self.opened.append((SharedModel(live, database, load=load, experiments=plans), database))
        return self.opened[-1][0]

    def close(self):
        for shared, database in self.opened:
            shared.close()
            database.close()

    def kept(self):
        """user -> arm by the table."""
        return {user: {name: each.arm for name, each in self.database.experiments.of_user(user).items()}
                for user in USERS}  # fmt: skip

    @property
    def database(self):
        return self.opened[0][1]

    def lists(self):
        for shared, _ in self.opened:
            shared.exposures.flush()
        return [each for page in self.database.exposures() for each in page]


@pytest.fixture
def servers(url, model, now):
    servers = Servers(url, model, now)
    yield servers
    servers.close()


@pytest.fixture(scope="session")
def ease_folder(clicks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("arms") / "ease"
    EASE(l2=10.0).fit(clicks).save(folder)
    return folder


def arm_of(shared, user, k=5):
    answer = shared.recommend(Asker(user=user), k)
    return answer.experiments[0].arm if isinstance(answer, ExperimentAnswer) else None


def test_arms_get_their_settings(servers):
    shared = servers.start(Experiment("films", (Arm("control"), COLD)))
    plain = servers.start()
    for user in USERS:
        answer = shared.recommend(Asker(user=user), 5)
        settings = Rules(cold_least=2) if answer.experiments[0].arm == "new" else Rules()
        assert ids(answer) == ids(plain.recommend(Asker(user=user), 5, settings))
    by_request = {each.request: each for each in servers.lists() if each.chances.arms}
    assert len(by_request) == len(USERS)
    assert by_request[answer.request_id].chances.arms == (("films", answer.experiments[0].arm),)
    assert len(shared.recommend(Asker(user="u1"), 1).items) == 1  # no room for two new ones
    of_history = shared.recommend(Asker(history=[("f01", 1.0)]), 5)
    assert not isinstance(of_history, ExperimentAnswer)


def test_an_arm_wins_over_what_a_request_says(servers):
    shared = servers.start(Experiment("films", (Arm("a", settings=Settings(cold_most=0)), Arm("b", 0.0))))
    answer = shared.recommend(Asker(user="u1"), 5, Rules(cold_least=3, exclude=["f00"]))
    assert not any(item.cold for item in answer.items)


def test_an_arm_may_be_called_interleaved(servers):
    shared = servers.start(Experiment("films", (Arm("control", 0.0), replace(COLD, name=INTERLEAVED))))
    answer = shared.recommend(Asker(user="u1"), 5)
    assert answer.experiments[0].arm == INTERLEAVED
    assert ids(answer) == ids(servers.start().recommend(Asker(user="u1"), 5, Rules(cold_least=2)))


def test_arms_get_their_models_and_items_change_in_all(servers, ease_folder, clicks):
    plan = Experiment("films", (Arm("control"), Arm("new", model=str(ease_folder))))
    shared = servers.start(plan)
    ease = load(ease_folder)
    shown = {user: shared.recommend(Asker(user=user), 5) for user in USERS}
    assert {answer.model for answer in shown.values()} == {"first", "ease"}
    for user, answer in shown.items():
        assert (answer.model == "ease") == (answer.experiments[0].arm == "new")
        if answer.model == "ease":
            assert ids(answer) == ease.recommend([user], 5)["item_id"].to_list()
            item = ids(answer)[0]
            assert shared.score(Asker(user=user), [item])[0] == pytest.approx(answer.items[0].score)
            assert shared.explain(Asker(user=user), item).score == pytest.approx(answer.items[0].score)
    user = next(user for user, answer in shown.items() if answer.model == "ease")
    hidden = ids(shown[user])[0]
    shared.put_items([LiveItem(hidden, hidden=True)])
    assert hidden not in ids(shared.recommend(Asker(user=user), ALL))
    other = servers.start(plan, declare=False)
    assert ids(other.recommend(Asker(user=user), ALL)) == ids(shared.recommend(Asker(user=user), ALL))


def test_a_model_of_other_items_is_refused(servers, clicks, tmp_path):
    strange = Interactions.from_csr(clicks.matrix, clicks.users.values, [f"z{n}" for n in range(N_ITEMS)])
    EASE(l2=1.0).fit(strange).save(tmp_path / "strange")
    with pytest.raises(ModelFolderError, match=r"experiment films, arm new: .*another catalogue"):
        servers.start(Experiment("films", (Arm("control"), Arm("new", model=str(tmp_path / "strange")))))


def test_a_first_exposure_is_kept_once_and_before_it_is_shown(servers, monkeypatch):
    plan = Experiment("films", (Arm("control"), COLD))
    one, two = servers.start(plan), servers.start(plan)
    answers = [shared.recommend(Asker(user="u1"), 5) for shared in (one, two, one)]
    assert len({answer.request_id for answer in answers}) == 3
    assert servers.database.experiments.counts("films") == {answers[0].experiments[0].arm: 1}
    assert len(servers.lists()) == 3

    def busy(*_):
        raise DatabaseError("busy")

    monkeypatch.setattr(one.experiments._database.experiments, "assign", busy)
    with pytest.raises(DatabaseError):
        one.recommend(Asker(user="u2"), 5)
    assert servers.kept()["u2"] == {}
    assert len(servers.lists()) == 3
    with pytest.raises(ParameterError):
        two.recommend(Asker(user="u3"), 0)
    assert servers.kept()["u3"] == {}


def test_the_fast_way_answers_whom_it_knows(servers):
    plan = Experiment("films", (Arm("control"), COLD), ramp=Ramp((RampStep(0, 0.5),)))
    shared = servers.start(plan)
    if not servers.database.is_local:
        assert shared.recommend_now(Asker(user="u1"), 5) is None
        return
    for user in USERS:
        now = shared.recommend_now(Asker(user=user), 5)
        then = shared.recommend(Asker(user=user), 5)
        assert (now is None) == isinstance(then, ExperimentAnswer)  # its first exposure is to be kept
        again = shared.recommend_now(Asker(user=user), 5)
        assert ids(again) == ids(then)
        assert isinstance(again, ExperimentAnswer) == isinstance(then, ExperimentAnswer)


def test_nobody_moves_by_restarts_weights_or_the_ramp(servers):
    half = Ramp((RampStep(500.0, 0.5), RampStep(2000.0, 1.0)))
    plan = Experiment("films", (Arm("control"), COLD), ramp=half)
    first = servers.start(plan)
    before = {user: arm_of(first, user) for user in USERS}
    assert set(before.values()) == {None, "control", "new"}
    changed = replace(plan, arms=(Arm("control", 0.0), COLD, Arm("third", 5.0)))
    second = servers.start(changed)
    servers.now[0] = 3000.0
    after = {user: arm_of(second, user) for user in USERS}
    assert all(after[user] == arm for user, arm in before.items() if arm is not None)
    assert {after[user] for user, arm in before.items() if arm is None} == {"new", "third"}
    third = servers.start(replace(plan, arms=(Arm("control"), COLD, Arm("third", 0.0)), ramp=Ramp()))
    assert {user: arm_of(third, user) for user in USERS} == after
    known = {user: None if arm == "third" else arm for user, arm in after.items()}
    assert {user: arm_of(first, user) for user in USERS} == known  # a server of the first plan, at one time
    assert {user: arms["films"] for user, arms in servers.kept().items()} == after


def test_a_tester_may_leave_again(servers):
    plan = Experiment("films", (Arm("control"), COLD), overrides={"u1": "new", "u2": "control"})
    shared = servers.start(plan)
    assert [arm_of(shared, user) for user in ("u1", "u2")] == ["new", "control"]
    assert servers.database.experiments.of_user("u1")["films"].reason == "override"
    plain = servers.start(replace(plan, overrides={}))
    by_hash = servers.start(Experiment("other", plan.arms, salt="films"))
    assert arm_of(plain, "u1") == arm_of(by_hash, "u1")


def test_layers_come_together_in_one_list(servers, ease_folder):
    shared = servers.start(
        Experiment("models", (Arm("control"), Arm("ease", model=str(ease_folder)))),
        Experiment("lists", (Arm("plain"), Arm("diverse", settings=Settings(diversity=0.7))), layer="x"),
    )
    ease = LiveModel(load(ease_folder), "ease")
    both = 0
    for user in USERS:
        answer = shared.recommend(Asker(user=user), 5)
        arms = {each.experiment: each.arm for each in answer.experiments}
        assert set(arms) == {"models", "lists"}
        if arms == {"models": "ease", "lists": "diverse"}:
            both += 1
            assert ids(answer) == ids(ease.recommend(Asker(user=user), 5, Rules(diversity=0.7)))
    assert both > 2
    assert {len(each.chances.arms) for each in servers.lists()} == {2}


@pytest.mark.parametrize("kind", ["epsilon", "softmax"])
@pytest.mark.parametrize("rules", [Rules(), Rules(cold_least=2, cold_most=2)])
def test_what_is_drawn_can_be_drawn_again(servers, model, kind, rules):
    exploration = Exploration(kind, 0.8, from_rank=3, temperature=0.1, pool=12)
    shared = servers.start(Experiment("films", (Arm("a"), Arm("b")), exploration=exploration))
    plain = servers.start()
    changed = 0
    for user in USERS[:12]:
        base = plain.recommend(Asker(user=user), 5, rules)
        answer = shared.recommend(Asker(user=user), 5, rules)
        changed += ids(answer) != ids(base)
        assert ids(answer)[:2] == ids(base)[:2]
        if rules.cold_least:
            assert [item.cold for item in answer.items] == [item.cold for item in base.items]
        again = LiveModel(model).explore(Asker(user=user), 5, rules, exploration, seed(answer.request_id))
        assert ids(again[0]) == ids(answer)
        kept = next(each for each in servers.lists() if each.request == answer.request_id)
        assert kept.chances.propensities == again[1]
        assert kept.chances.propensities[:2] == [1.0, 1.0]
        if rules == Rules():
            ranked = plain.recommend(Asker(user=user), 12).items
            scores = np.array([item.score for item in ranked])
            drawn = explored(scores, 5, exploration, np.random.default_rng(seed(answer.request_id)))
            assert [ranked[n].item_id for n in drawn.chosen] == ids(answer)
            assert drawn.propensities.tolist() == kept.chances.propensities
    assert changed > 5


def test_two_models_are_interleaved(servers, ease_folder):
    plan = Experiment("both", (Arm("control"), Arm("ease", model=str(ease_folder))), kind="interleaving")
    shared, plain = servers.start(plan), servers.start()
    ease = LiveModel(load(ease_folder), "ease")
    for user in USERS[:10]:
        answer = shared.recommend(Asker(user=user), 6)
        assert answer.experiments[0].arm == INTERLEAVED
        assert answer.model == "first + ease"
        kept = next(each for each in servers.lists() if each.request == answer.request_id)
        teams = kept.chances.teams
        assert teams.count(0) == teams.count(1) == 3
        lists = [ids(live.recommend(Asker(user=user), 6)) for live in (plain, ease)]
        for team in (0, 1):
            picked = [item for item, of in zip(ids(answer), teams, strict=True) if of == team]
            assert picked == [item for item in lists[team] if item in picked]
        assert [item.rank for item in answer.items] == list(range(1, 7))
    assert servers.database.experiments.counts("both") == {INTERLEAVED: 10}


def test_a_swap_within_an_arm_is_of_that_arm(servers, ease_folder, clicks, tmp_path):
    EASE(l2=100.0).fit(clicks).save(tmp_path / "second")
    plan = Experiment("films", (Arm("control"), Arm("new", model=str(ease_folder))))
    one, two = servers.start(plan), servers.start(plan)
    user = next(user for user in USERS if arm_of(one, user) == "new")
    one.swap(str(tmp_path / "second"), "new")
    for shared in (one, two):
        shared.recommend(Asker(user=user), 5)
        for follower in shared.experiments.followers:
            follower.wait()
        assert shared.recommend(Asker(user=user), 5).model == "second"
        assert {shared.recommend(Asker(user=each), 5).model for each in USERS} == {"first", "second"}
    assert servers.start(plan).recommend(Asker(user=user), 5).model == "second"
    kept = servers.database.last_swaps(5, ("films", "new"))
    assert [(swap.action, swap.model) for swap in kept] == [("swap", "second"), ("start", "ease")]
    one.roll_back("new", "films")
    assert one.experiments.model_name("films", "new") == "ease"
    assert servers.database.last_swaps(1, ("films", "new"))[0].action == "rollback"
    one.roll_back("new")
    assert one.experiments.model_name("films", "new") == "second"
    for arm, words in (("control", "server's own model"), ("old", "is no arm of an experiment")):
        with pytest.raises(ParameterError, match=words):
            one.swap(str(tmp_path / "second"), arm)
    with pytest.raises(ParameterError, match="no experiment runs"):
        servers.start().swap(str(tmp_path / "second"), "new")
    with pytest.raises(ModelFolderError):
        one.swap(str(tmp_path / "none"), "new")
    assert one.recommend(Asker(user=user), 5).model == "second"


def test_ids_that_are_numbers_are_placed_as_numbers(servers, clicks, films):
    numbered = Interactions.from_csr(clicks.matrix, list(range(40)), films["item_id"].to_list())
    plan = Experiment("films", (Arm("control"), COLD), overrides={"7": "new"})
    shared = servers.start(plan, model=EASE(l2=1.0).fit(numbered))
    assert [arm_of(shared, 3), arm_of(shared, "3")] == [arm_of(shared, 3)] * 2
    assert arm_of(shared, "7") == "new"
    assert sum(servers.database.experiments.counts("films").values()) == 2
