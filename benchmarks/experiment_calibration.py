"""How far the figures of an experiment can be trusted: intervals, false alarms, peeking, the sample ratio.

A population of users with known answers to both arms is drawn once: heavy-tailed activity, a taste of each
user's own that all impressions share, moods that last some days, fatigue, users who arrive day by day, some
of them new. An experiment draws users from it and tosses a coin for each, so the truth is the population's.
No target: "naive" figures, which show what is avoided.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "2")

import math
import time
from dataclasses import dataclass

import numpy as np
from common import report, size
from scipy import stats

from isotherm.experiment.analysis import AnalysisOptions
from isotherm.experiment.analysis.bootstrap import Replicates, bootstrap_interval
from isotherm.experiment.analysis.coverage import coverage_sample
from isotherm.experiment.analysis.cuped import pair
from isotherm.experiment.analysis.effects import effect
from isotherm.experiment.analysis.sample_ratio import power_of_mismatch, sample_ratio
from isotherm.experiment.analysis.samples import ArmMoments, columns_of, sample, trimmed_sample, values_of
from isotherm.experiment.analysis.sequences import looks, reach
from isotherm.experiment.log import Moments, Users
from isotherm.experiment.metrics import STANDARD, by_name

EXPERIMENTS = size(2000, 20)
USERS = size(8000, 600)  # of one experiment
POPULATION = size(200_000, 5000)
DAYS = size(28, 8)
EFFECT = 0.05  # relative, on the chance of a click
METRICS = [metric for metric in STANDARD if metric.kind != "coverage"]
GROUPS, GROUP = 20, size(50, 5)  # random groups of an arm, and users of each, by which coverage is compared
TRUE_GROUPS, COVERED_ITEMS = size(20_000, 200), 2_000
#: users assigned, and the share of the treatment's that is lost
LOST = ((10_000, 0.0), (10_000, 0.1), (100_000, 0.02), (100_000, 0.03), (1_000_000, 0.01))
DAILY = ("clicks_on_shown", "impressions", "clicks", "before_clicks", "before_impressions")


@dataclass
class Population:
    """Users under both arms: a world for the control, one for the treatment, and their days.

    worlds: two Users of the same people.  to_date: for each world, (DAYS, n, columns of DAILY).  arrived:
    (n,) day.
    """

    worlds: tuple[Users, Users]
    to_date: tuple[np.ndarray, np.ndarray]
    arrived: np.ndarray


def population(n: int, days: int, relative: float, seed: int = 0) -> Population:
    """So many users; ``relative`` is the effect of the treatment on the chance of a click."""
    rng = np.random.default_rng(seed)
    activity = rng.lognormal(0.5, 1.0, n)  # impressions a day
    taste = np.clip(rng.gamma(1.2, 0.05, n), 0, 0.6)
    minutes = rng.lognormal(0, 0.8, n)  # of watching, a click
    cold = rng.beta(1, 9, n)
    arrived = np.minimum(rng.geometric(0.12, n) - 1, days - 1)
    known = rng.random(n) < 0.8
    before_shown = rng.poisson(activity * 14) * known
    before_clicks = rng.binomial(before_shown, taste)
    before_watch = watched(rng, before_clicks, minutes)
    mood, shown = rng.normal(0, 0.5, n), np.empty((days, n), dtype=np.int32)
    for day in range(days):
        mood = 0.7 * mood + math.sqrt(1 - 0.49) * rng.normal(0, 0.5, n)
        shown[day] = rng.poisson(activity * np.exp(mood - 0.125)) * (day >= arrived)
    age = np.maximum(np.arange(days)[:, None] - arrived, 0)
    fatigue = 0.7 + 0.3 * np.exp(-age / 5)
    worlds, to_date = [], []
    for factor in (1.0, 1.0 + relative):
        clicks = rng.binomial(shown, np.clip(taste * fatigue * factor, 0, 1))
        total = clicks.sum(axis=0)
        on_cold = rng.binomial(shown.sum(axis=0), cold)
        users = Users.of(
            ("a", "b"),
            np.zeros(n),
            first=arrived.astype(np.int32),
            impressions=shown.sum(axis=0),
            clicks=total,
            clicks_on_shown=total,
            watch_seconds=watched(rng, total, minutes),
            conversions=rng.random(n) < 1 - np.exp(-0.02 * total),
            cold_impressions=on_cold,
            cold_clicks=np.minimum(rng.binomial(on_cold, np.clip(taste, 0, 1)), total),
            before_impressions=before_shown,
            before_clicks=before_clicks,
            before_watch=before_watch,
        )
        worlds.append(users)
        sums = np.empty((days, n, len(DAILY)), dtype=np.float32)
        sums[:, :, 0] = sums[:, :, 2] = np.cumsum(clicks, axis=0)
        sums[:, :, 1] = np.cumsum(shown, axis=0)
        sums[:, :, 3], sums[:, :, 4] = before_clicks, before_shown
        to_date.append(sums)
    cap = float(np.quantile(worlds[0].watch_seconds, 0.99))
    for users in worlds:
        users.caps["watch_seconds"] = cap
    return Population(tuple(worlds), tuple(to_date), arrived)


def watched(rng: np.random.Generator, clicks: np.ndarray, minutes: np.ndarray) -> np.ndarray:
    """Seconds of so many clicks: sums of long-tailed times."""
    return 60 * minutes * rng.gamma(0.3 * np.maximum(clicks, 1e-9), 1 / 0.3) * (clicks > 0)


def truth(world: Population, metric) -> float:
    """The relative effect of the whole population."""
    values = [value_of(users, metric) for users in world.worlds]
    return values[1] / values[0] - 1


def value_of(users: Users, metric) -> float:
    """The metric of these users."""
    if metric.robust == "trimmed":
        return trimmed_sample(users.column(metric.numerator), OPTIONS.trim).value
    columns = columns_of([metric])
    return sample(metric, ArmMoments.of(columns, values_of(users, columns))).value


OPTIONS = AnalysisOptions()
COLUMNS = columns_of(METRICS)


@dataclass
class Drawn:
    """One experiment: rows of the population in each arm, and what was measured of them."""

    rows: list[np.ndarray]
    values: list[np.ndarray]  #: (n, COLUMNS) of each arm
    watch: list[np.ndarray]


class World:
    """A population's columns, ready to be drawn from."""

    def __init__(self, people: Population) -> None:
        self.people = people
        self.values = [values_of(users, COLUMNS) for users in people.worlds]

    def draw(self, rng: np.random.Generator, users: int) -> Drawn:
        """So many users, each of one arm."""
        rows = rng.integers(len(self.people.arrived), size=users)
        treated = rng.random(users) < 0.5
        parts = [rows[~treated], rows[treated]]
        watch = [self.people.worlds[arm].watch_seconds[part] for arm, part in enumerate(parts)]
        return Drawn(parts, [self.values[arm][part] for arm, part in enumerate(parts)], watch)

    def moments(self, drawn: Drawn) -> Moments:
        """Of all that users did to the end of each day, as a log has them."""
        days, width = len(self.people.to_date[0]), len(DAILY)
        n = np.zeros((days, 2), dtype=np.int64)
        sums, products = np.zeros((days, 2, width)), np.zeros((days, 2, width, width))
        for arm, rows in enumerate(drawn.rows):
            rows = rows[np.argsort(self.people.arrived[rows], kind="stable")]
            n[:, arm] = np.searchsorted(self.people.arrived[rows], np.arange(days), side="right")
            for day in range(days):
                values = self.people.to_date[arm][day, rows[: n[day, arm]]].astype(np.float64)
                sums[day, arm], products[day, arm] = values.sum(axis=0), values.T @ values
        return Moments(DAILY, n, sums, products)


def effects(drawn: Drawn, options: AnalysisOptions = OPTIONS) -> dict:
    """(metric, with CUPED) -> effect."""
    moments = [ArmMoments.of(COLUMNS, values) for values in drawn.values]
    found = {}
    for metric in METRICS:
        for cuped in (False, True) if metric.covariates else (False,):
            if metric.robust == "trimmed":
                arms = pair(*(trimmed_sample(each, options.trim) for each in drawn.watch))
            else:
                arms = pair(*(sample(metric, each, cuped) for each in moments))
            found[metric.name, cuped] = effect(arms, options)
    return found


def shares(found: dict) -> dict:
    """Of lists of yes and no."""
    return {name: float(np.mean(values)) for name, values in found.items()}


def naive_p(drawn: Drawn) -> float:
    """Two proportions of impressions, as if each were an observation by itself."""
    clicks, shown = COLUMNS.index("clicks_on_shown"), COLUMNS.index("impressions")
    c, n = ([float(values[:, at].sum()) for values in drawn.values] for at in (clicks, shown))
    rate = sum(c) / sum(n)
    error = math.sqrt(rate * (1 - rate) * (1 / n[0] + 1 / n[1]))
    return float(2 * stats.norm.sf(abs(c[1] / n[1] - c[0] / n[0]) / error))


def intervals(world: World, true: dict, experiments: int, users: int, seed: int) -> dict:
    """Shares of experiments: (metric, cuped) -> interval covers the truth, p < 0.05; naive p < 0.05."""
    rng = np.random.default_rng(seed)
    covered: dict = {}
    alarms: dict = {}
    for _ in range(experiments):
        drawn = world.draw(rng, users)
        for key, told in effects(drawn).items():
            if told is None:  # a tiny size, where nobody converts
                continue
            covered.setdefault(key, []).append(told.relative.low <= true[key[0]] <= told.relative.high)
            alarms.setdefault(key, []).append(told.p < 0.05)
        alarms.setdefault("naive", []).append(naive_p(drawn) < 0.05)
    return {"covered": shares(covered), "alarms": shares(alarms)}


def coverage(steeper: float, experiments: int, seed: int) -> dict:
    """Shares of experiments: the interval of coverage covers the truth, p < 0.05.

    Users are shown what is popular and what they like; the treatment's items are drawn more steeply.
    """
    rng = np.random.default_rng(seed)
    arms = [Catalogue(0.8), Catalogue(0.8 + steeper)]
    true = np.divide(*(arm.shown(rng, TRUE_GROUPS).mean() for arm in reversed(arms))) - 1
    covered, alarms = [], []
    for _ in range(experiments):
        told = effect(pair(*(coverage_sample(arm.shown(rng, GROUPS)) for arm in arms)), OPTIONS)
        covered.append(told.relative.low <= (true if steeper else 0) <= told.relative.high)
        alarms.append(told.p < 0.05)
    return shares({"covered": covered, "alarms": alarms})


class Catalogue:
    """Items as an arm shows them: all users share their popularity, each has a taste of his own."""

    def __init__(self, steepness: float) -> None:
        weights = 1 / (np.arange(COVERED_ITEMS) + 10.0) ** steepness
        self.chances = np.cumsum(weights) / weights.sum()

    def shown(self, rng: np.random.Generator, n_groups: int) -> np.ndarray:
        """(n_groups,) the distinct items that groups of users are shown."""
        impressions = np.minimum(rng.geometric(1 / 30, (n_groups, GROUP)), 300)  # of users: heavy-tailed
        group = np.repeat(np.arange(n_groups), impressions.sum(axis=1))
        popular = np.searchsorted(self.chances, rng.random(len(group)))
        near = np.repeat(rng.integers(COVERED_ITEMS, size=impressions.size), impressions.ravel())
        liked = (near + rng.integers(20, size=len(group))) % COVERED_ITEMS
        item = np.where(rng.random(len(group)) < 0.3, liked, popular)
        return np.bincount(np.unique(group * COVERED_ITEMS + item) // COVERED_ITEMS, minlength=n_groups)


def agreement(world: World, experiments: int, users: int, seed: int) -> float:
    """Width of the bootstrap's interval of click-through over that of the delta method, in the mean."""
    rng, metric = np.random.default_rng(seed), by_name("ctr")
    ratios = []
    for _ in range(experiments):
        drawn = world.draw(rng, users)
        arms = pair(*(sample(metric, ArmMoments.of(COLUMNS, each)) for each in drawn.values))
        replicates = [Replicates.of(COLUMNS, each, OPTIONS, arm) for arm, each in enumerate(drawn.values)]
        told = effect(arms, OPTIONS)
        ratios.append(
            bootstrap_interval(metric, *replicates, arms, OPTIONS.level).width / told.relative.width
        )
    return float(np.mean(ratios))


def peeking(world: World, experiments: int, users: int, seed: int) -> dict:
    """Shares of A/A experiments with a false alarm on any day, or a treatment that ships."""
    rng = np.random.default_rng(seed)
    alarms: dict = {}
    for _ in range(experiments):
        drawn = world.draw(rng, users)
        moments = world.moments(drawn)
        for name in ("ctr", "clicks_per_user"):
            days = looks(by_name(name), moments, 1, OPTIONS)
            out = [not look.sequence.low <= 0 <= look.sequence.high for look in days]
            fixed = [not look.fixed.low <= 0 <= look.fixed.high for look in days]
            ships = any(look.sequence.low > 0 for look in days) or days[-1].fixed.low > 0
            alarms.setdefault(f"{name}: confidence sequence", []).append(any(out))
            alarms.setdefault(f"{name}: interval of one look, looked at daily", []).append(any(fixed))
            alarms.setdefault(f"{name}: ships (sequence, then the planned look)", []).append(ships)
    return shares(alarms)


def peeking_at_each_user(experiments: int, users: int, seed: int) -> float:
    """Share of A/A experiments in which the sequence of one skewed value a user ever leaves the truth out."""
    rng = np.random.default_rng(seed)
    n = np.arange(100, users + 1, 5)
    wrong = []
    scale = OPTIONS.prior_scale
    for _ in range(experiments):
        values = rng.lognormal(0, 1, (2, users))
        mean = np.cumsum(values, axis=1)[:, n - 1] / n
        spread = np.cumsum(values**2, axis=1)[:, n - 1] / n - mean**2
        error = np.sqrt((spread / n / mean**2).sum(axis=0))
        half = np.array([reach(each, scale, OPTIONS.level) for each in error])
        wrong.append(bool((np.abs(np.log(mean[1] / mean[0])) > half).any()))
    return float(np.mean(wrong))


def mismatches(experiments: int, users: int, lost: float, seed: int) -> float:
    """Share of experiments whose sample ratio is found wrong; the treatment loses a share of its users."""
    rng = np.random.default_rng(seed)
    control = rng.binomial(users, 0.5, experiments)
    treatment = rng.binomial(users - control, 1 - lost)
    found = [sample_ratio("ab", counts, (1, 1)).mismatch for counts in zip(control, treatment, strict=True)]
    return float(np.mean(found))


def row(what: str, share: float, target: str | None = None) -> dict:
    """A share in per cent."""
    return {"what": what, "measured": 100 * share, "unit": "%", "target": target}


def within(what: str, share: float, low: float, high: float) -> list[dict]:
    """A share in per cent against both ends of its range."""
    return [row(what, share, f">= {low}"), row(f"{what}, at most", share, f"<= {high}")]


def rows_of_intervals(label: str, world: World, seed: int) -> list[dict]:
    """How often intervals cover the truth and, where there is no effect, how often p < 0.05."""
    true = {metric.name: truth(world.people, metric) for metric in METRICS}
    told, rows = intervals(world, true, EXPERIMENTS, USERS, seed), []
    for (name, cuped), share in told["covered"].items():
        rows += within(f"{label}, {name}{', CUPED' * cuped}: interval covers", share, 94, 96)
    if label == "A/A":
        naive = told["alarms"].pop("naive")
        rows.append(row("A/A, ctr, naive test of impressions: p < 0.05", naive, "> 10"))
        for (name, cuped), share in told["alarms"].items():
            rows += within(f"A/A, {name}{', CUPED' * cuped}: p < 0.05", share, 4, 6)
    return rows


def rows_of_peeking(world: World) -> list[dict]:
    """How often an A/A experiment that is looked at again and again gives a false alarm."""
    rows = []
    for name, share in peeking(world, EXPERIMENTS, USERS, 5).items():
        target = None if "one look" in name else "<= 5"
        rows.append(row(f"A/A over {DAYS} daily looks, {name}: false alarm", share, target))
    share = peeking_at_each_user(EXPERIMENTS, size(4000, 400), 6)
    return [*rows, row("A/A, a look every 5 users: false alarm", share, "<= 5")]


def rows_of_coverage() -> list[dict]:
    """The same of distinct items shown."""
    same, other = coverage(0.0, EXPERIMENTS, 8), coverage(0.05, EXPERIMENTS, 9)
    return [
        *within("A/A, coverage: interval covers", same["covered"], 94, 96),
        *within("A/A, coverage: p < 0.05", same["alarms"], 4, 6),
        *within("A/B, coverage: interval covers", other["covered"], 94, 96),
        row("A/B, coverage: p < 0.05", other["alarms"]),
    ]


def rows_of_mismatches() -> list[dict]:
    """How often lost users are told."""
    rows = []
    for users, lost in LOST:
        what = f"sample ratio, {users:,} users, {lost:.0%} of the treatment's lost: told"
        rows.append(row(what, mismatches(EXPERIMENTS, users, lost, 7)))
        rows.append(row("  the same by formula", power_of_mismatch(users, (1, 1), lost)))
    return rows


def main() -> None:
    """Measure all of it."""
    started = time.perf_counter()
    same, other = World(population(POPULATION, DAYS, 0.0)), World(population(POPULATION, DAYS, EFFECT, 1))
    rows = rows_of_intervals("A/A", same, 2) + rows_of_intervals(f"A/B {EFFECT:.0%}", other, 3)
    ratio = agreement(other, size(40, 3), USERS, 4)
    rows.append({"what": "bootstrap's width over the delta method's", "measured": ratio, "target": None})
    rows += rows_of_coverage() + rows_of_peeking(same) + rows_of_mismatches()
    seconds = time.perf_counter() - started
    report("experiment_calibration", rows, experiments=EXPERIMENTS, users=USERS, days=DAYS, seconds=seconds)


if __name__ == "__main__":
    main()
