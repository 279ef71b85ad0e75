import numpy as np
import pytest
from scipy import stats

from isotherm.experiment.analysis.samples import ArmMoments, columns_of, sample, trimmed_sample, values_of
from isotherm.experiment.metrics import STANDARD, Metric, by_name
from tests.experiment.analysis.people import DAILY, daily, people


def moments_of(users, *metrics):
    columns = columns_of(metrics)
    return ArmMoments.of(columns, values_of(users, columns))


def test_a_mean_is_the_mean_with_its_variance():
    users = people(500)
    told = sample(by_name("clicks_per_user"), moments_of(users, by_name("clicks_per_user")), cuped=False)
    assert told.value == pytest.approx(users.clicks.mean(), rel=1e-12)
    assert told.variance == pytest.approx(users.clicks.var(ddof=1), rel=1e-12)
    assert told.n == 500


def test_a_ratio_has_the_variance_of_the_delta_method():
    users = people(500)
    told = sample(by_name("ctr"), moments_of(users, by_name("ctr")), cuped=False)
    y, x = users.clicks_on_shown, users.impressions
    assert told.value == pytest.approx(y.sum() / x.sum(), rel=1e-12)
    covariance = np.cov(y, x)
    r, m = y.mean() / x.mean(), x.mean()
    by_hand = (covariance[0, 0] - 2 * r * covariance[0, 1] + r**2 * covariance[1, 1]) / m**2
    assert told.variance == pytest.approx(by_hand, rel=1e-10)


def test_the_delta_method_agrees_with_statsmodels_clusters():
    """A regression of one impression a row on nothing, its error clustered by user."""
    api = pytest.importorskip("statsmodels.api")
    users = people(200)
    told = sample(by_name("ctr"), moments_of(users, by_name("ctr")), cuped=False)
    shown = users.impressions.astype(int)
    owner = np.repeat(np.arange(200), shown)
    rank = np.concatenate([np.arange(n) for n in shown])
    clicked = (rank < users.clicks_on_shown[owner]).astype(float)
    fitted = api.OLS(clicked, np.ones((len(clicked), 1))).fit(
        cov_type="cluster", cov_kwds={"groups": owner, "use_correction": False}
    )
    ours = (told.variance / 200 * 199 / 200) ** 0.5  # divided by n there, by n - 1 here
    assert fitted.params[0] == pytest.approx(told.value, abs=1e-9)
    assert fitted.bse[0] == pytest.approx(ours, abs=1e-9)


def test_winsorised_values_stop_at_the_cap():
    users = people(500)
    metric = by_name("watch_per_user_winsorised")
    told = sample(metric, moments_of(users, metric), cuped=False)
    capped = np.minimum(users.watch_seconds, 800.0)
    assert told.value == pytest.approx(capped.mean(), rel=1e-12)
    assert told.variance == pytest.approx(capped.var(ddof=1), rel=1e-12)
    assert (users.watch_seconds > 800).any()


def test_a_trimmed_mean_is_scipys():
    values = people(501).watch_seconds
    assert trimmed_sample(values, 0.1).value == pytest.approx(stats.trim_mean(values, 0.1), rel=1e-12)
    assert trimmed_sample(values, 0.0).variance == pytest.approx(values.var(ddof=1), rel=1e-12)
    assert not trimmed_sample(values[:1], 0.1).measured


def test_moments_by_day_are_those_of_the_values():
    rng = np.random.default_rng(0)
    shown, arm = rng.poisson(5, (3, 40)), np.arange(40) % 2
    clicks = rng.binomial(shown, 0.3)
    moments = daily(shown, clicks, arm).to_date
    by_day = ArmMoments.at(moments, 1, 0)
    values = np.column_stack([clicks[:2].sum(axis=0), shown[:2].sum(axis=0)])[arm == 0]
    assert by_day.n == 20
    assert by_day.covariance[:2, :2] == pytest.approx(np.cov(values.T), rel=1e-10)
    assert by_day.columns == DAILY


def test_columns_are_read_once_and_not_for_what_is_no_mean():
    columns = columns_of(STANDARD)
    assert len(columns) == len(set(columns))
    assert {"watch_seconds", "watch_seconds capped", "converted"} < set(columns)
    assert columns_of([by_name("coverage"), by_name("watch_per_user_trimmed")]) == ()


def test_an_arm_without_users_or_impressions_is_not_measured():
    metric = Metric("ctr", "clicks_on_shown", "impressions")
    nobody = people(2).take(np.zeros(2, dtype=bool))
    assert not sample(metric, moments_of(nobody, metric)).measured
    unshown = people(50, impressions=np.zeros(50))
    assert not sample(metric, moments_of(unshown, metric)).measured
