import math

import numpy as np
import pytest

from isotherm.experiment.analysis import AnalysisOptions
from isotherm.experiment.analysis.day_effects import day_effects
from isotherm.experiment.analysis.over_time import novelty, spill_over
from isotherm.experiment.metrics import by_name
from tests.experiment.analysis.people import daily

OPTIONS = AnalysisOptions(fewest=20, cuped=False)


def days(effect, seed=0, n=3000, days=10):
    """Effects by day of click-through, where the true relative effect of day d is effect(d)."""
    rng = np.random.default_rng(seed)
    arm, taste = np.arange(n) % 2, rng.beta(3, 9, n)
    shown = rng.poisson(8, (days, n)) + 1
    factor = 1 + np.array([effect(day) for day in range(days)])[:, None] * arm
    clicks = rng.binomial(shown, np.clip(taste * factor, 0, 1))
    return day_effects(by_name("ctr"), daily(shown, clicks, arm).of_day, 1, OPTIONS)


def test_an_effect_that_wears_off_is_told():
    told = novelty(days(lambda day: 0.3 * math.exp(-day / 3)))
    assert told.p < 0.001
    assert told.slope < 0
    assert "falls" in told.words
    assert told.days[0].estimate == pytest.approx(0.3, abs=0.08)


def test_an_effect_that_stays_is_seldom_called_novelty():
    alarms = sum(novelty(days(lambda day: 0.1, seed, 400, 6)).p < 0.05 for seed in range(200))
    assert alarms <= 0.08 * 200


def test_few_days_and_metrics_that_days_do_not_tell_say_so():
    told = novelty(days(lambda day: 0.1, days=2))
    assert math.isnan(told.slope)
    assert "not measured" in told.words
    moments = daily(np.ones((4, 60), dtype=int), np.ones((4, 60), dtype=int), np.arange(60) % 2).of_day
    assert day_effects(by_name("watch_per_user"), moments, 1, OPTIONS) == []


def test_spill_over_is_measured_between_refits():
    told = spill_over(days(lambda day: 0.3 if day < 3 else 0.15 if day < 7 else 0.0), [3, 7])
    assert told.measured
    assert [segment.day for segment in told.segments] == [0, 3, 7]
    assert told.p < 0.001
    assert told.change < 0
    assert "2 refits" in told.words


def test_spill_over_is_said_where_it_is_not_measured():
    told = spill_over(days(lambda day: 0.1), [5])
    assert not told.measured
    assert "draws the effect towards 0" in told.words
    assert math.isnan(told.p)
