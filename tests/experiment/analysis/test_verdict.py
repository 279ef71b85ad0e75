import math

import numpy as np
import pytest

from isotherm.experiment.analysis import AnalysisOptions, MetricResult
from isotherm.experiment.analysis.cuped import pair
from isotherm.experiment.analysis.effects import effect
from isotherm.experiment.analysis.samples import Sample
from isotherm.experiment.analysis.verdict import Clock, Verdict, best, growth, verdict
from isotherm.experiment.metrics import Metric

OPTIONS = AnalysisOptions()
GOAL = Metric("ctr", "clicks_on_shown", "impressions")
RAIL = Metric("cold_share", "cold_impressions", "impressions", role="guardrail", margin=0.1)


def of(relative, error, metric=GOAL):
    """A metric's result with this relative effect and standard error."""
    n = 10_000
    unit = (error / 2**0.5) ** 2 * n
    arms = [Sample(n, value, np.array([[unit]]), np.empty(0)) for value in (1.0, 1.0 + relative)]
    told = effect(pair(*arms), OPTIONS, metric.wanted)
    return MetricResult(metric, "b", told, told, None, [], told.p)


def decided(goal, rails=(), day=14, planned=None, arms=1, **options):
    return verdict(goal, rails, Clock(day, planned), AnalysisOptions(**options), arms)


def test_a_clear_gain_ships_and_a_clear_loss_stops():
    assert decided(of(0.1, 0.01)).action == "ship"
    assert decided(of(-0.1, 0.01)).action == "stop"
    assert "worse" in " ".join(decided(of(-0.1, 0.01)).words)


def test_before_the_planned_day_the_sequence_decides():
    """2.5 standard errors: enough for the one look that was planned, too few for looks at any time."""
    assert decided(of(0.05, 0.02), day=14, planned=14).action == "ship"
    assert decided(of(0.05, 0.02), day=10, planned=14).action == "wait"
    assert decided(of(0.05, 0.02), day=14).action == "wait"
    assert decided(of(0.05, 0.02), day=15, planned=14).action == "wait"


def test_it_waits_at_least_to_the_planned_day_and_says_how_long():
    told = decided(of(0.05, 0.02), day=4, planned=14)
    assert told.wait_days >= 10
    assert f"Wait {told.wait_days} more days" in " ".join(told.words)


def test_days_to_wait_follow_the_width_of_the_interval():
    near, far = decided(of(0.05, 0.02), day=14), decided(of(0.05, 0.022), day=14)
    assert near.wait_days < far.wait_days
    slow = verdict(of(0.05, 0.02), (), Clock(14, None, 0.5), OPTIONS)
    assert slow.wait_days > near.wait_days


def test_what_nobody_would_wait_for_is_undecided():
    """Neither harm nor want of gain is shown: no reason to stop, and words that say what would help."""
    told = decided(of(0.0, 0.05), day=14, planned=14)
    assert told.action == "wait"
    assert told.wait_days > 60
    words = " ".join(told.words)
    assert "Undecided" in words
    assert "longer than 60" in words
    assert "more users" in words


def test_guardrails_that_need_longer_are_undecided_too():
    told = decided(of(0.1, 0.01), [of(-0.11, 0.2, RAIL)])
    assert told.action == "wait"
    assert "Undecided" in " ".join(told.words)


def test_before_anything_is_measured_it_waits_for_the_planned_day():
    nothing = MetricResult(GOAL, "b", None, None, None, [], math.nan)
    assert decided(nothing, day=2, planned=14).wait_days == 12
    assert decided(nothing, day=2).wait_days == 1


def test_a_gain_too_small_to_be_worth_it_is_stopped():
    told = decided(of(0.001, 0.001), day=14, planned=14)
    assert told.action == "stop"
    assert "less than the 1.0%" in " ".join(told.words)


def test_guardrails_stop_or_are_waited_for():
    broken = decided(of(0.1, 0.01), [of(-0.3, 0.02, RAIL)])
    assert broken.action == "stop"
    assert "Guardrail cold_share: -30.0%" in " ".join(broken.words)
    waiting = decided(of(0.1, 0.01), [of(-0.05, 0.05, RAIL)])
    assert waiting.action == "wait"
    assert waiting.wait_days >= 1
    assert decided(of(0.1, 0.01), [of(-0.05, 0.01, RAIL)]).action == "ship"


def test_a_metric_that_should_fall_is_better_when_it_falls():
    down = Metric("clicks", "clicks", wanted="down")
    assert decided(of(-0.1, 0.01, down)).action == "ship"
    assert decided(of(0.1, 0.01, down)).action == "stop"


def test_several_treatments_share_the_chance_of_error():
    assert decided(of(0.045, 0.02), day=14, planned=14).action == "ship"
    assert decided(of(0.045, 0.02), day=14, planned=14, arms=5).action == "wait"


def test_of_several_verdicts_the_best_is_told_first():
    verdicts = [Verdict(action, "ctr", name, None, [name]) for action, name in (("stop", "b"), ("ship", "c"))]
    assert best(verdicts, [0.5, 0.1]).arm == "c"
    assert best(verdicts, [0.5, 0.1]).words == ["c", "b"]
    assert best([verdicts[1], Verdict("ship", "ctr", "d", None, ["d"])], [0.1, 0.2]).arm == "d"


def test_growth_is_read_from_looks():
    class Look:
        def __init__(self, day):
            self.day, self.error = day, day**-0.25

    assert growth([Look(day) for day in range(1, 20)]) == pytest.approx(0.5)
    assert growth([]) == 1.0
