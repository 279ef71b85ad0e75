import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats

from isotherm.experiment.analysis import AnalysisOptions
from isotherm.experiment.analysis.sequences import always_valid_p, looks, reach
from isotherm.experiment.metrics import by_name
from tests.experiment.analysis.people import daily

OPTIONS = AnalysisOptions(fewest=20)


def test_its_reach_is_that_of_the_papers_formula():
    """Waudby-Smith et al. (2024), theorem 2.2: σ √(2 (tρ² + 1) / (t²ρ²) log(√(tρ² + 1) / α)) with σ = 1."""
    t, rho, alpha = 500, 0.07, 0.05
    paper = math.sqrt(2 * (t * rho**2 + 1) / (t * rho) ** 2 * math.log(math.sqrt(t * rho**2 + 1) / alpha))
    assert reach(t**-0.5, rho, 1 - alpha) == pytest.approx(paper, rel=1e-12)


def test_always_valid_p_is_one_over_the_bayes_factor_of_the_mixture():
    estimate, error, scale = 0.06, 0.02, 0.05
    mixed = integrate.quad(lambda x: stats.norm.pdf(x, 0, scale) * stats.norm.pdf(estimate, x, error), -1, 1)
    bayes = mixed[0] / stats.norm.pdf(estimate, 0, error)
    assert always_valid_p(estimate, error, scale) == pytest.approx(1 / bayes, rel=1e-6)
    half = reach(error, scale, 0.95)
    assert always_valid_p(half, error, scale) == pytest.approx(0.05, rel=1e-9)


def test_looks_grow_narrower_and_hold_those_of_one_look():
    rng = np.random.default_rng(0)
    shown, arm = rng.poisson(8, (10, 400)), np.arange(400) % 2
    clicks = rng.binomial(shown, 0.2 + 0.05 * arm)
    found = looks(by_name("ctr"), daily(shown, clicks, arm).to_date, 1, OPTIONS)
    assert [look.day for look in found] == list(range(1, 11))
    assert all(look.sequence.low < look.fixed.low < look.fixed.high < look.sequence.high for look in found)
    assert found[-1].sequence.width < found[0].sequence.width
    totals = [clicks[:, arm == each].sum() / shown[:, arm == each].sum() for each in (0, 1)]
    assert found[-1].estimate == pytest.approx(totals[1] / totals[0] - 1, rel=1e-9)
    assert all(late.p <= early.p for early, late in pairwise(found))


def test_days_with_few_users_and_metrics_that_days_do_not_tell_have_no_looks():
    shown = np.ones((3, 30), dtype=int)
    moments = daily(shown, shown, np.arange(30) % 2).to_date
    assert looks(by_name("ctr"), moments, 1, OPTIONS) == []  # 15 of each arm, and nothing varies
    assert looks(by_name("watch_per_user"), moments, 1, OPTIONS) == []
    assert looks(by_name("coverage"), moments, 1, OPTIONS) == []


def test_peeking_every_day_at_users_who_come_back_gives_few_false_alarms():
    """Users keep their taste over all days, so days are correlated; 200 A/A experiments of 12 looks."""
    rng = np.random.default_rng(0)
    sequence = fixed = 0
    for _ in range(200):
        arm, taste = np.arange(300) % 2, rng.beta(1, 6, 300)
        shown = rng.poisson(rng.lognormal(1, 0.8, 300), (12, 300)) + 1
        clicks = rng.binomial(shown, taste)
        found = looks(by_name("ctr"), daily(shown, clicks, arm).to_date, 1, OPTIONS)
        sequence += any(not look.sequence.low <= 0 <= look.sequence.high for look in found)
        fixed += any(not look.fixed.low <= 0 <= look.fixed.high for look in found)
    assert sequence <= 0.05 * 200
    assert fixed > 0.06 * 200


def test_of_a_prior_as_wide_as_can_be_p_is_a_number():
    assert always_valid_p(0.3, 0.08, 1e9) == pytest.approx(1.0)  # all that wide a prior says is: nothing
    assert always_valid_p(0.3, 0.03, 1e9) < 1e-9
