"""Users with skewed activity and a taste of their own, whose clicks depend on each other."""

import numpy as np

from isotherm.experiment.log import Daily, Moments, Users

DAILY = ("clicks_on_shown", "impressions", "clicks", "before_clicks", "before_impressions")


def people(n=4000, effect=0.0, seed=0, arms=("a", "b"), **columns):
    """Users in random arms; ``effect``: relative, on the chance of a click in all arms but the first."""
    rng = np.random.default_rng(seed)
    arm = rng.integers(len(arms), size=n)
    activity, taste = rng.lognormal(2.5, 1, n), rng.beta(2, 20, n)
    shown = rng.poisson(activity) + 1
    clicks = rng.binomial(shown, np.clip(taste * (1 + effect * (arm > 0)), 0, 1))
    cold = rng.binomial(shown, 0.1)
    before = rng.poisson(activity) * (rng.random(n) < 0.8)
    made = {
        "impressions": shown,
        "clicks": clicks,
        "clicks_on_shown": clicks,
        "watch_seconds": clicks * rng.lognormal(3, 1, n),
        "conversions": rng.binomial(1, np.clip(0.02 * clicks, 0, 1)),
        "cold_impressions": cold,
        "cold_clicks": np.minimum(rng.binomial(cold, taste), clicks),
        "before_impressions": before,
        "before_clicks": rng.binomial(before, taste),
        "caps": {"watch_seconds": 800.0},
    }
    return Users.of(arms, arm, **made | columns)


def daily(shown, clicks, arm, before=None):
    """Moments of (days, n) impressions and clicks of users who are all there from the first day on."""
    days, n_arms = len(shown), arm.max() + 1
    before = np.zeros((2, shown.shape[1])) if before is None else before

    def moments(shown, clicks):
        n, width = np.zeros((days, n_arms), dtype=int), len(DAILY)
        sums, products = np.zeros((days, n_arms, width)), np.zeros((days, n_arms, width, width))
        for day in range(days):
            for place in range(n_arms):
                of = arm == place
                columns = (clicks[day, of], shown[day, of], clicks[day, of], before[0, of], before[1, of])
                values = np.column_stack(columns).astype(float)
                n[day, place] = of.sum()
                sums[day, place], products[day, place] = values.sum(axis=0), values.T @ values
        return Moments(DAILY, n, sums, products)

    of_day = moments(shown, clicks)
    return Daily(moments(shown.cumsum(axis=0), clicks.cumsum(axis=0)), of_day, of_day)
