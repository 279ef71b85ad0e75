import json
from dataclasses import replace

import numpy as np
import pytest

from isotherm.errors import ParameterError
from isotherm.experiment.analysis import AnalysisOptions, Schedule, analyze
from isotherm.experiment.log import ItemSums
from isotherm.experiment.metrics import STANDARD, by_name
from isotherm.files import finite
from tests.experiment.analysis.people import daily, people

OPTIONS = AnalysisOptions(replicates=100)


def with_days(users, days=6):
    """The same users, day by day: each day a share of all that they did."""
    rng = np.random.default_rng(0)
    shown = rng.multinomial(users.impressions.astype(int), [1 / days] * days).T
    clicks = rng.binomial(shown, np.clip(users.clicks / users.impressions, 0, 1))
    return replace(users, daily=daily(shown, clicks, users.arm), days=days)


def covered(users, counts):
    return replace(users, items=ItemSums(users.ids[:0], *[np.empty((0, 2))] * 4, covered=counts))


def test_everything_that_is_asked_of_an_experiment_is_told(tmp_path):
    users = covered(with_days(people(4000, effect=0.2)), (np.array([50, 52, 51]), np.array([50, 53, 52])))
    told = analyze(users, schedule=Schedule(planned_days=6, refits=(2, 4)), options=OPTIONS)
    assert told.verdict.action == "ship"
    told.write_json(tmp_path / "result.json")
    written = json.loads((tmp_path / "result.json").read_text())
    assert {"metric", "estimate", "low", "high", "p", "verdict"} <= set(written)
    assert written["metric"] == "ctr"
    assert written["low"] < written["estimate"] < written["high"]
    assert [each["metric"] for each in written["metrics"]] == [metric.name for metric in STANDARD]
    first = written["metrics"][0]
    assert first["sequence"]["low"] < first["low"]
    assert first["bootstrap"]["low"] == pytest.approx(first["low"], abs=0.03)
    assert first["cuped"]["variance_kept"] < 1
    assert first["prior"] == {"distribution": "normal", "mean": 0.0, "scale": 0.05}
    assert len(first["looks"]) == 6
    assert {each["by"] for each in written["groups"]["b"]} == {"clicks before", "item"}
    assert written["spill_over"]["b"]["measured"]
    assert written["novelty"]["b"]["days"]
    assert written["metrics"][-1]["estimate"] == pytest.approx(0.013, abs=0.01)
    assert written["words"][1].startswith("Ship")


def test_a_mismatch_stops_the_report_unless_it_is_asked_for():
    users = people(4000, effect=0.2)
    lost = users.take(~((users.arm == 1) & (np.arange(4000) % 4 == 0)))
    told = analyze(lost, options=OPTIONS)
    assert told.verdict.action == "invalid"
    assert told.metrics == []
    assert told.to_dict()["estimate"] is None
    assert "mismatch" in told.words[0]
    shown = analyze(lost, options=OPTIONS, despite_mismatch=True)
    assert shown.verdict.action == "invalid"
    assert len(shown.metrics) == len(STANDARD)


def test_uneven_arms_are_no_mismatch_where_the_plan_says_so():
    users = people(4000)
    lost = users.take(~((users.arm == 1) & (np.arange(4000) % 4 == 0)))
    assert not analyze(lost, schedule=Schedule(weights=(4, 3)), options=OPTIONS).sample_ratio.mismatch


def test_flagged_users_count_nowhere():
    users = people(2000, effect=0.1)
    bots = np.zeros(2000, dtype=bool)
    bots[:100] = True
    clicks = np.where(bots, 1e6, users.clicks)
    flagged = people(2000, effect=0.1, clicks=clicks, bot=bots)
    without = people(2000, effect=0.1).take(~bots)
    one, other = analyze(flagged, options=OPTIONS), analyze(without, options=OPTIONS)
    assert [each.effect and each.effect.p for each in one.metrics] == pytest.approx(
        [each.effect and each.effect.p for each in other.metrics]
    )


def test_several_arms_are_corrected_together():
    users = people(6000, effect=0.15, arms=("a", "b", "c"))
    told = analyze(users, metrics=[by_name("ctr"), by_name("cold_share")], options=OPTIONS)
    assert [(each.metric.name, each.arm) for each in told.metrics] == [
        ("ctr", "b"), ("ctr", "c"), ("cold_share", "b"), ("cold_share", "c"),
    ]  # fmt: skip
    p = [each.effect.p for each in told.metrics]
    assert told.metrics[0].p_adjusted == pytest.approx(max(2 * min(p[:2]), p[0]))
    assert told.metrics[2].p_adjusted == pytest.approx(p[2])  # a guardrail, as it is
    assert set(told.groups) == {"b", "c"}
    assert any(line.startswith("c changes") for line in told.words)


def test_an_experiment_without_clicks_has_no_effect_yet_and_waits():
    users = people(500)
    nothing = dict.fromkeys(("clicks", "clicks_on_shown", "watch_seconds", "conversions"), np.zeros(500))
    told = analyze(people(500, **nothing), options=OPTIONS)
    assert (told.verdict.action, told.verdict.wait_days) == ("wait", 1)
    assert "no effect on ctr can be measured yet" in told.words[0]
    assert told.metrics[0].effect is None
    assert "nothing varies" in told.metrics[0].note
    json.dumps(told.to_dict(), allow_nan=False)
    assert len(users) == 500


def test_an_arm_without_users_is_a_mismatch_and_no_crash():
    users = people(500)
    told = analyze(users.take(users.arm == 0), options=OPTIONS)
    assert told.verdict.action == "invalid"
    shown = analyze(users.take(users.arm == 0), options=OPTIONS, despite_mismatch=True)
    assert all(each.effect is None for each in shown.metrics)
    json.dumps(shown.to_dict(), allow_nan=False)


def test_what_cannot_be_analysed_is_refused():
    with pytest.raises(ParameterError, match="a control, a treatment and a metric"):
        analyze(people(10, arms=("a",)))
    with pytest.raises(ParameterError, match="a metric that is its goal"):
        analyze(people(10), metrics=[by_name("coverage")])
    with pytest.raises(ParameterError, match="level must be"):
        AnalysisOptions(level=1.0)


def test_numbers_that_are_not_finite_are_null():
    assert finite({"a": [float("inf"), 1.0], "b": (float("nan"),)}) == {"a": [None, 1.0], "b": [None]}


def test_changed_weights_are_tested_since_the_last_change():
    users = people(4000)
    rng = np.random.default_rng(1)
    late = np.arange(4000) >= 2000
    arm = np.where(late, rng.random(4000) < 0.9, users.arm).astype(np.int32)
    changed = replace(users, arm=arm, weights=np.where(late, 2, 1).astype(np.int32))
    schedule = Schedule(weights=(1, 9))
    told = analyze(changed, schedule=schedule, options=OPTIONS)
    assert not told.sample_ratio.mismatch
    assert sum(told.sample_ratio.users) == told.sample_ratio.untested == 2000
    assert sum(each.users for each in told.arms) == 4000
    assert "the 2,000 before were drawn by others" in told.sample_ratio.words
    unknown = analyze(replace(changed, weights=None), schedule=schedule, options=OPTIONS)
    assert unknown.sample_ratio.mismatch
    old = analyze(changed, schedule=Schedule(weights=(1, 1)), options=OPTIONS)
    assert old.sample_ratio.mismatch
    assert sum(each.users for each in old.arms) == 4000
