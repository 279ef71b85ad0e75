"""What a server's own events say of its experiments."""

import pytest

pytest.importorskip("tea_tasting", reason="the extra experiment is not installed")

from isotherm.experiment.plan import Arm, Experiment, Settings
from isotherm.serving.database import Database
from isotherm.serving.live.model import LiveModel
from isotherm.serving.live.requests import Asker
from isotherm.serving.shared.experiment_results import ExperimentResults
from isotherm.serving.shared.shared import SharedModel

PLAN = Experiment("films", (Arm("control"), Arm("new", settings=Settings(cold_least=1))))
MERGED = Experiment("both", (Arm("one"), Arm("two", settings=Settings(diversity=0.5))), kind="interleaving")


@pytest.fixture
def shared_with(model, tmp_path):
    opened = []

    def start(plan):
        database = Database.open(f"sqlite:///{tmp_path}/live.db")
        database.experiments.declare(plan, 0.0)
        opened[:] = [SharedModel(LiveModel(model, "first"), database, experiments=[plan]), database]
        return opened[0]

    yield start
    for each in opened:
        each.close()


def watch(shared, users):
    """Every one is shown a list, and clicks its first title."""
    for n in users:
        [first, *_] = shared.recommend(Asker(user=f"v{n}"), k=3).items
        shared.add_events([{"id": n, "type": "click", "user": f"v{n}", "item": first.item_id}])


def test_results_are_of_all_that_happened_and_are_kept_for_a_while(shared_with):
    shared, now = shared_with(PLAN), [100.0]
    results = ExperimentResults(shared, seconds=60, clock=lambda: now[0])
    assert results.of(PLAN).result is None
    assert "Nobody" in results.of(PLAN).words[0]
    watch(shared, range(40))
    assert results.of(PLAN).result is None
    now[0] += 60
    found = results.of(PLAN)
    assert sum(found.result.sample_ratio.users) == 40
    assert found.result.counts["measured"] == 40
    assert [each.values["ctr"] for each in found.result.arms] == pytest.approx([1 / 3] * 2)
    watch(shared, range(40, 50))
    now[0] += 59
    assert results.of(PLAN) is found
    now[0] += 1
    assert sum(results.of(PLAN).result.sample_ratio.users) == 50


def test_interleaved_lists_have_no_arms_to_compare(shared_with):
    shared = shared_with(MERGED)
    watch(shared, range(3))
    found = ExperimentResults(shared).of(MERGED)
    assert found.result is None
    assert "merged" in found.words[0]
