import numpy as np
import pytest

from isotherm.errors import ParameterError
from isotherm.experiment.log import Users
from isotherm.experiment.metrics import STANDARD, Metric, by_name

USERS = Users.of(
    ("a", "b"),
    [0, 1],
    impressions=[4, 2],
    clicks_on_shown=[1, 2],
    watch_seconds=[5, 50],
    caps={"watch_seconds": 9.0},
)


@pytest.mark.parametrize(
    ("name", "kind", "above", "below"),
    [
        ("ctr", "ratio", [1, 2], [4, 2]),
        ("watch_per_user", "mean", [5, 50], [1, 1]),
        ("watch_per_user_winsorised", "mean", [5, 9], [1, 1]),
        ("conversion", "mean", [0, 0], [1, 1]),
    ],
)
def test_values_of_users(name, kind, above, below):
    metric = by_name(name)
    assert metric.kind == kind
    np.testing.assert_array_equal(metric.values(USERS), [above, below])


def test_coverage_is_of_items_and_not_of_users():
    assert by_name("coverage").kind == "coverage"
    with pytest.raises(ParameterError, match="counts items"):
        by_name("coverage").values(USERS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"numerator": "arm"}, "'arm' is no column of users; they are impressions, clicks"),
        ({"denominator": "items"}, "'items' is no column"),
        ({"numerator": "items", "denominator": "clicks"}, "'items' is no column"),
        ({"covariates": ("items",)}, "'items' is no column"),
        ({"robust": "both"}, "robust must be one of"),
        ({"role": "boss"}, "role must be one of"),
        ({"wanted": "left"}, "wanted must be one of"),
        ({"margin": 1.0}, "margin must be a number >= 0 and < 1"),
        ({"denominator": "impressions", "robust": "trimmed"}, "only a mean can be trimmed"),
        ({"covariates": ("before_clicks", "before_watch")}, "a mean has one covariate"),
    ],
)
def test_what_cannot_be_meant_is_refused(settings, message):
    with pytest.raises(ParameterError, match=message):
        Metric(**({"name": "mine", "numerator": "clicks"} | settings))


def test_standard_metrics_are_found_by_name():
    assert [by_name(metric.name) for metric in STANDARD] == list(STANDARD)
    with pytest.raises(ParameterError, match="'hits' is no metric; they are ctr"):
        by_name("hits")
