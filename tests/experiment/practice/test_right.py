from dataclasses import replace

import numpy as np
import pytest

from isotherm.experiment.analysis import analyze
from isotherm.experiment.log import Users
from isotherm.experiment.practice.right import is_inside, is_right
from isotherm.experiment.practice.truth import Truth


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(0)
    arm = np.arange(4000) % 2
    clicks = rng.poisson(np.where(arm, 2.2, 2.0))
    users = Users.of(("a", "b"), arm, impressions=np.full(4000, 10), clicks=clicks, clicks_on_shown=clicks)
    return analyze(users)


def said(result, action):
    return replace(result, verdict=replace(result.verdict, action=action))


def truth(estimate):
    return Truth(1.0, 1 + estimate, estimate, 0.0)


@pytest.mark.parametrize(
    ("action", "estimate", "right"),
    [
        ("ship", 0.1, True),
        ("ship", -0.01, False),
        ("ship", 0.0, False),
        ("stop", -0.1, True),
        ("stop", 0.005, True),
        ("stop", 0.1, False),
        ("wait", 0.1, False),  # its interval leaves out 0
        ("invalid", 0.1, False),
    ],
)
def test_a_verdict_is_right_by_the_truth(result, action, estimate, right):
    assert result.goal.effect.relative.low > 0
    assert is_right(said(result, action), truth(estimate)) is right


def test_to_wait_is_right_before_anything_is_measured(result):
    nothing = [replace(each, effect=None) for each in result.metrics]
    assert is_right(replace(said(result, "wait"), metrics=nothing), truth(0.1))


def test_the_truth_is_inside_the_interval_or_not(result):
    interval = result.goal.effect.relative
    assert is_inside(result, truth((interval.low + interval.high) / 2))
    assert not is_inside(result, truth(interval.high + 0.01))
