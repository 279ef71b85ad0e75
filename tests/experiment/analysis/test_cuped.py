import numpy as np
import pytest

from isotherm.experiment.analysis.cuped import pair
from isotherm.experiment.analysis.samples import ArmMoments, Sample, columns_of, sample, values_of
from isotherm.experiment.metrics import by_name
from tests.experiment.analysis.people import people


def samples(users, metric, cuped=True):
    columns = columns_of([metric])
    by_arm = [users.take(users.arm == arm) for arm in (0, 1)]
    return [sample(metric, ArmMoments.of(columns, values_of(each, columns)), cuped) for each in by_arm]


@pytest.mark.parametrize("name", ["ctr", "clicks_per_user", "watch_per_user"])
def test_cuped_narrows_and_never_widens(name):
    metric = by_name(name)
    for seed in range(20):
        users = people(40, seed=seed)  # few users: a slope that is all noise
        plain, adjusted = pair(*samples(users, metric, False)), pair(*samples(users, metric))
        assert adjusted.variance <= plain.variance * (1 + 1e-12)
        assert plain.variance_kept == 1
    big = people(4000)
    assert pair(*samples(big, by_name("clicks_per_user"))).variance_kept < 0.8


def test_it_agrees_with_tea_tasting_where_arms_are_alike():
    """One covariate, arms of one size and one covariance: one slope is best for both."""
    tea = pytest.importorskip("tea_tasting")
    users = people(4000)
    half = users.take(users.arm == 0).take(np.arange(1500))
    both = [half, half]  # the same people
    metric = by_name("clicks_per_user")
    columns = columns_of([metric])
    ours = pair(*(sample(metric, ArmMoments.of(columns, values_of(each, columns))) for each in both))
    frame = tea.aggr.Aggregates(
        count_=1500,
        mean_={"y": half.clicks.mean(), "x": half.before_clicks.mean()},
        var_={"y": half.clicks.var(ddof=1), "x": half.before_clicks.var(ddof=1)},
        cov_={("x", "y"): float(np.cov(half.clicks, half.before_clicks)[0, 1])},
    )
    theirs = tea.Mean("y", "x", equal_var=False).analyze_aggregates(frame, frame)
    width = theirs.effect_size_ci_upper - theirs.effect_size_ci_lower
    from isotherm.experiment.analysis import AnalysisOptions
    from isotherm.experiment.analysis.effects import effect

    assert effect(ours, AnalysisOptions()).absolute.width == pytest.approx(width, rel=1e-9)


def test_the_covariance_of_the_two_values_is_that_of_experiments():
    """Over many experiments the adjusted values vary as they are said to."""
    rng = np.random.default_rng(0)
    values, told = [], []
    for _ in range(1500):
        arms = []
        for n in (60, 120):
            x = rng.normal(5, 1, n)
            y = x + rng.normal(3, 0.5, n)
            arms.append(Sample(n, y.mean(), np.cov(np.stack([y, x])), np.array([x.mean()])))
        found = pair(*arms)
        values.append([found.control.value, found.treatment.value])
        told.append(found.covariance)
    seen, mean = np.cov(np.array(values).T), np.mean(told, axis=0)
    assert mean == pytest.approx(seen, rel=0.15)
    assert mean[0, 1] > 0
    assert found.variance == pytest.approx(
        found.covariance[0, 0] + found.covariance[1, 1] - 2 * found.covariance[0, 1], rel=1e-9
    )


def test_covariates_that_tell_nothing_are_left_out():
    users = people(300, before_clicks=np.zeros(300), before_impressions=np.full(300, 2.0))
    metric = by_name("ctr")
    told, plain = pair(*samples(users, metric)), pair(*samples(users, metric, False))
    assert told.difference == pytest.approx(plain.difference, abs=1e-15)
    assert told.coefficients.tolist() == [0, 0]
    twice = people(300)
    twice = people(300, before_impressions=twice.before_clicks)  # two covariates that are one
    assert 0 < pair(*samples(twice, metric)).variance_kept <= 1
