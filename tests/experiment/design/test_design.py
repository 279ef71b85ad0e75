import json
from dataclasses import replace

import numpy as np
import pytest

from isotherm.errors import ParameterError
from isotherm.experiment.analysis.samples import ArmMoments, columns_of, sample, values_of
from isotherm.experiment.design import DesignOptions, design, false_positives, metric_design
from isotherm.experiment.design.power import detectable
from isotherm.experiment.design.without_change import NAIVE
from isotherm.experiment.metrics import STANDARD, by_name
from tests.experiment.analysis.people import daily, people

OPTIONS = DesignOptions(splits=20)


def site(n=4000, days=10, seed=0):
    """Users of one arm who come back day by day."""
    rng = np.random.default_rng(seed)
    users = people(n, arms=("site",), seed=seed)
    shown = rng.poisson(users.impressions / days, (days, n))
    clicks = rng.binomial(shown, np.clip(users.clicks / users.impressions, 0, 1))
    before = np.stack([users.before_clicks, users.before_impressions])
    moments = daily(shown, clicks, users.arm, before)
    return replace(users, daily=moments, days=days)


def test_the_least_effect_is_that_of_statsmodels_power():
    power = pytest.importorskip("statsmodels.stats.power")
    users = people(4000, arms=("site",))
    metric = by_name("clicks_per_user")
    columns = columns_of([metric])
    of_all = sample(metric, ArmMoments.of(columns, values_of(users, columns)), cuped=False)
    told = detectable(of_all, 10_000, OPTIONS)
    size = power.NormalIndPower().solve_power(nobs1=5000, alpha=0.05, power=0.8)
    assert told == pytest.approx(size * of_all.variance**0.5 / of_all.value, rel=2e-3)  # Student's t there


def test_a_design_keeps_its_promise():
    """Experiments of so many users find the effect that is called detectable as often as the power says."""
    from isotherm.experiment.analysis import AnalysisOptions
    from isotherm.experiment.analysis.cuped import pair
    from isotherm.experiment.analysis.effects import effect

    users = people(60_000, arms=("site",))
    metric = by_name("clicks_per_user")
    columns = columns_of([metric])
    values = values_of(users, columns)
    least = detectable(sample(metric, ArmMoments.of(columns, values)), 2000, OPTIONS)
    rng, found = np.random.default_rng(0), 0
    for _ in range(150):
        rows = rng.integers(60_000, size=(2, 1000))
        treated = values[rows[1]].copy()
        treated[:, 0] *= 1 + least
        moments = [ArmMoments.of(columns, each) for each in (values[rows[0]], treated)]
        found += effect(pair(*(sample(metric, each) for each in moments)), AnalysisOptions()).p < 0.05
    assert found / 150 == pytest.approx(0.8, abs=0.1)


def test_days_that_an_effect_needs_follow_from_the_log():
    users = site()
    told = metric_design(users, by_name("ctr"), replace(OPTIONS, effect=0.1))
    alone = sample(by_name("ctr"), ArmMoments.at(users.daily.to_date, 2, 0))
    assert told.horizons[2].detectable == pytest.approx(detectable(alone, alone.n, OPTIONS), rel=1e-3)
    inside = [each for each in told.horizons if not each.beyond]
    assert [each.days for each in inside] == list(range(1, 11))
    least = [each.detectable for each in told.horizons]
    assert least == sorted(least, reverse=True)
    assert told.days == next(each.days for each in told.horizons if each.detectable <= 0.1)
    assert metric_design(users, by_name("ctr"), replace(OPTIONS, effect=0.01, traffic=0.1)).days is None
    some = metric_design(users, by_name("ctr"), replace(OPTIONS, traffic=0.25)).horizons[3]
    assert some.detectable == pytest.approx(2 * told.horizons[3].detectable, rel=0.01)


def test_cuped_is_worth_days():
    users = site()
    metric = by_name("clicks_per_user")
    with_it, without = (metric_design(users, metric, replace(OPTIONS, cuped=on)) for on in (True, False))
    assert with_it.variance_kept < 0.8
    assert without.variance_kept == 1
    assert with_it.horizons[9].detectable < without.horizons[9].detectable


def test_experiments_without_change_find_as_much_as_promised_and_the_naive_test_more():
    users = people(3000, arms=("site",))
    metrics = [by_name("ctr"), by_name("watch_per_user_trimmed"), by_name("coverage")]
    told = {each.test: each for each in false_positives(users, metrics, replace(OPTIONS, splits=200))}
    assert set(told) == {"ctr", "watch_per_user_trimmed", NAIVE}
    assert told["ctr"].low <= 0.05 <= told["ctr"].high
    assert told[NAIVE].low > 0.05
    assert false_positives(users, metrics, replace(OPTIONS, splits=0)) == []


def test_everything_is_written_and_said(tmp_path):
    told = design(site(500, days=4), options=replace(OPTIONS, splits=5))
    told.write_json(tmp_path / "design.json")
    written = json.loads((tmp_path / "design.json").read_text())
    assert [each["metric"] for each in written["metrics"]] == [metric.name for metric in STANDARD]
    assert written["users_by_day"][-1] == 500
    assert any("coverage" in each["note"] for each in written["metrics"])
    assert any(line.startswith("ctr: ") for line in written["words"])
    nobody = design(
        people(30, arms=("site",), clicks=np.zeros(30), clicks_on_shown=np.zeros(30)), options=OPTIONS
    )
    assert any("nothing varies" in line for line in nobody.words)


def test_what_cannot_be_designed_is_refused():
    with pytest.raises(ParameterError, match="power must be"):
        DesignOptions(power=1.0)
    with pytest.raises(ParameterError, match="traffic must be"):
        DesignOptions(traffic=0.0)
