"""The page of an experiment says what the result says, in one file, whatever came out."""

import re

import numpy as np
import pytest

pytest.importorskip("tea_tasting", reason="the extra experiment is not installed")

from isotherm.experiment.analysis import analyze
from isotherm.experiment.log import Users
from isotherm.report.experiment import ExperimentReport, KnownTruth


def users_of(n_control=1000, n_treatment=1000, better=0.3):
    rng = np.random.default_rng(0)
    arm = np.repeat([0, 1], [n_control, n_treatment])
    clicks = rng.poisson(np.where(arm, 2.0 + better, 2.0))
    shown = np.full(len(arm), 20.0)
    return Users.of(("old", "<new>"), arm, impressions=shown, clicks=clicks, clicks_on_shown=clicks)


def test_the_page_tells_the_verdict_the_interval_and_the_truth():
    result = analyze(users_of())
    interval = result.goal.effect.relative
    inside = KnownTruth({"ctr": 0.149}, inside=True, right=True)
    html = ExperimentReport("Films", "a log", result, inside, [("viewers", "2,000")]).html()
    assert '<p class="action">Ship it</p>' in html
    assert f"{interval.low:+.1%} … {interval.high:+.1%}" in html
    assert "<b>+14.9%</b>" in html
    assert "inside the interval; the verdict is right" in html
    assert "&lt;new&gt;" in html
    assert "<new>" not in html
    assert html.count("<svg") >= 1
    assert not re.search(r"<script|<link|src=|@import|url\(", html)


def test_without_a_truth_none_is_told():
    html = ExperimentReport("Films", "a log", analyze(users_of())).html()
    assert "truth" not in html.split("</style>")[1]


def test_arms_that_cannot_be_compared_show_nothing_but_that():
    html = ExperimentReport("Films", "a log", analyze(users_of(1000, 700))).html()
    assert "No verdict" in html
    assert "They cannot." in html
    assert "What changed" not in html
    assert "<svg" not in html
