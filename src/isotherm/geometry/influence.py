"""What the measured pairs say: who is inside the radius, does the theorem hold, how far influence reaches.

Influence is how much u's loss fell by v's step, over η ‖g_u‖ ‖g_v‖: to first order the cosine of the two
gradients, 1 where v's step is as good for u as a step of u itself of the same length. Intervals are
bootstraps over the probes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from isotherm.evaluation.bootstrap import DRAWS, LEVEL, Interval, intervals
from isotherm.geometry.pairs import COPY, RANDOM
from isotherm.geometry.sharing import Sharing
from isotherm.streams import stream

#: condition on a pair -> when it holds
CONDITIONS = {
    "inside": pl.col("latent_distance") < pl.col("radius"),
    "inside_secant": pl.col("latent_distance") < pl.col("radius_secant"),
    "closer": pl.col("gradient_distance") < pl.col("norm_u"),
    "aligned": pl.col("inner_product") > 0,
    "helped": pl.col("loss_decrease") > 0,
}
INFLUENCE = "influence"


@dataclass(frozen=True)
class ConditionTest:
    """Pairs where a condition holds, and how many of them the step did help.

    pairs: how many.  helped: share of them whose loss fell; None where there are none.
    """

    pairs: int
    helped: float | None


@dataclass(frozen=True)
class FirstOrder:
    """How well first-order theory describes the steps, medians over the pairs of large inner products.

    remainder_ratio: |loss decrease − η ⟨g_u, g_v⟩| with the whole step over the same with half of it: about 4
    where the remainder is O(η²).  decrease_ratio: loss decrease / (η ⟨g_u, g_v⟩).  None where there is
    nothing to divide by.
    """

    remainder_ratio: float | None
    decrease_ratio: float | None


@dataclass(frozen=True)
class Grids:
    """Random pairs in fifths by two of their columns: l1, shared, jaccard, clicks_u or clicks_v (medians of
    the fifth), influence and helped (means), pairs (how many).
    """

    by_l1_and_shared: pl.DataFrame
    by_l1_and_jaccard: pl.DataFrame
    by_clicks: pl.DataFrame


@dataclass(frozen=True)
class Influence:
    """Summaries of a ``Sharing``.

    sharing: with conditions (bool) and influence as columns of its pairs.
    kinds: kind -> condition -> share of the pairs; and "influence", its mean.
    tests: condition -> how often the loss fell where it holds, over all pairs.
    correlation: Spearman's, of influence and latent distance, random and near pairs.
    curve: kind "random" and "near" in tenths by latent distance: distance, influence, low, high, helped.
    regions: random pairs, far (ℓ₁ at or above their median) × related (overlap at or above its median):
    share, influence, low, high, helped, inside, closer, distance.
    """

    sharing: Sharing
    kinds: dict[str, dict[str, Interval]]
    tests: dict[str, ConditionTest]
    first_order: FirstOrder
    correlation: Interval
    curve: pl.DataFrame
    regions: pl.DataFrame
    grids: Grids

    @property
    def pairs(self) -> pl.DataFrame:
        """One row per pair, as in ``Sharing``, with conditions and influence."""
        return self.sharing.pairs

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "kinds": {
                kind: {name: asdict(value) for name, value in row.items()} for kind, row in self.kinds.items()
            },
            "tests": {name: asdict(test) for name, test in self.tests.items()},
            "remainder_ratio": self.first_order.remainder_ratio,
            "loss_decrease_over_first_order": self.first_order.decrease_ratio,
            "rank_correlation": asdict(self.correlation),
            "curve": self.curve.to_dicts(),
            "regions": self.regions.to_dicts(),
            "by_l1_and_shared": self.grids.by_l1_and_shared.to_dicts(),
            "by_l1_and_jaccard": self.grids.by_l1_and_jaccard.to_dicts(),
            "by_clicks": self.grids.by_clicks.to_dicts(),
        }


def summarise_influence(sharing: Sharing, seed: int = 0) -> Influence:
    """The influence of each pair, and summaries.  seed: of the bootstraps."""
    pairs = sharing.pairs.with_columns(**CONDITIONS).with_columns(
        influence=_ratio("loss_decrease", sharing.rate * pl.col("norm_u") * pl.col("norm_v"))
    )
    users, random = pairs.filter(pl.col("kind") != COPY), pairs.filter(kind=RANDOM)
    return Influence(
        sharing=replace(sharing, pairs=pairs),
        kinds={
            str(kind): _shares(rows, seed) for (kind,), rows in pairs.group_by("kind", maintain_order=True)
        },
        tests={name: _condition_test(pairs, name) for name in CONDITIONS if name != "helped"},
        first_order=_first_order(pairs, sharing.rate),
        correlation=_correlation(users, seed),
        curve=_curve(users, seed),
        regions=_regions(random, seed),
        grids=Grids(
            by_l1_and_shared=_fifths(random, "l1", "shared"),
            by_l1_and_jaccard=_fifths(random, "l1", "jaccard"),
            by_clicks=_fifths(random, "clicks_u", "clicks_v"),
        ),
    )


def _first_order(pairs: pl.DataFrame, rate: float) -> FirstOrder:
    linear = rate * pl.col("inner_product")
    remainder = (pl.col("loss_decrease") - linear).abs()
    halved = (pl.col("loss_decrease_half") - linear / 2).abs()
    size = pl.col("inner_product").abs()
    large = pairs.filter(size >= size.median())  # others are rounding
    return FirstOrder(
        _finite_median(large, remainder / halved), _finite_median(large, pl.col("loss_decrease") / linear)
    )


def _finite_median(rows: pl.DataFrame, ratio: pl.Expr) -> float | None:
    """The median of a ratio over the rows where it is a number; None where there are none."""
    numbers = rows.select(ratio.alias("ratio")).filter(pl.col("ratio").is_finite())["ratio"]
    return float(np.median(numbers.to_numpy())) if len(numbers) else None


def _ratio(name: str, scale: pl.Expr) -> pl.Expr:
    """A column over a scale, 0 where the scale is."""
    return pl.when(scale > 0).then(pl.col(name) / scale).otherwise(0.0)


def _means(rows: pl.DataFrame, names: Sequence[str], seed: int) -> dict[str, Interval]:
    """Mean and interval of each column, probes drawn."""
    by_probe = rows.group_by("u", maintain_order=True).agg(pl.col(names).mean())
    values = intervals(by_probe.select(pl.col(names).cast(pl.Float64)).to_numpy(), seed)
    return dict(zip(names, values, strict=True))


def _shares(rows: pl.DataFrame, seed: int) -> dict[str, Interval]:
    return _means(rows, [*CONDITIONS, INFLUENCE], seed)


def _condition_test(pairs: pl.DataFrame, condition: str) -> ConditionTest:
    helped = pairs.filter(pl.col(condition))["helped"]
    return ConditionTest(len(helped), float(helped.sum() / len(helped)) if len(helped) else None)


def _correlation(rows: pl.DataFrame, seed: int) -> Interval:
    """Spearman's rank correlation and its interval, probes drawn with replacement; 0 where all are equal."""
    probes = rows["u"].rank("dense").to_numpy().astype(np.int64) - 1
    ranks = rows.select(pl.col("w1_high", INFLUENCE).rank()).to_numpy()
    if (np.ptp(ranks, axis=0) == 0).any():
        return Interval(0.0, 0.0, 0.0)
    rng, n = stream(seed, "bootstrap of the correlation"), int(probes.max()) + 1
    draws = []
    for _ in range(DRAWS):
        weights = np.bincount(rng.integers(n, size=n), minlength=n)[probes].astype(float)
        centred = ranks - np.average(ranks, axis=0, weights=weights)
        cross = (weights * centred[:, 0] * centred[:, 1]).sum()
        draws.append(cross / np.sqrt(np.prod((weights[:, None] * centred**2).sum(axis=0))))
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(float(spearmanr(ranks[:, 0], ranks[:, 1]).statistic), float(low), float(high))


def _curve(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    ranked = rows.with_columns(tenth=_equal_groups("w1_high", 10))
    points = []
    for (tenth,), group in sorted(ranked.group_by("tenth"), key=lambda each: each[0]):
        means = _means(group, [INFLUENCE, "helped"], seed)
        point = {"tenth": tenth, "distance": group["w1_high"].median()} | asdict(means[INFLUENCE])
        points.append(point | {"helped": means["helped"].mean})
    frame = pl.DataFrame(points).rename({"mean": INFLUENCE})
    return frame.with_columns(pl.col("tenth").cast(pl.Int64))


def _regions(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    marked = rows.with_columns(
        far=pl.col("l1") >= pl.col("l1").median(),
        related=(pl.col("overlap") >= pl.col("overlap").median()) & (pl.col("shared") > 0),
    )
    regions = []
    for far, related in ((False, True), (False, False), (True, True), (True, False)):
        pairs = marked.filter((pl.col("far") == far) & (pl.col("related") == related))
        region: dict[str, object] = {"far": far, "related": related}
        region["share"] = pairs.height / max(rows.height, 1)
        if pairs.height:
            means = _means(pairs, [INFLUENCE, "helped", "inside", "closer"], seed)
            region |= {"influence": means[INFLUENCE].mean}
            region |= {"low": means[INFLUENCE].low, "high": means[INFLUENCE].high}
            region |= {name: means[name].mean for name in ("helped", "inside", "closer")}
            region |= {"distance": float(pairs["w1_high"].to_numpy().mean())}
        regions.append(region)
    return pl.DataFrame(regions)


def _equal_groups(name: str, n: int) -> pl.Expr:
    """The number, from 0, of the group that a row is in where rows are cut by a column into n of one size."""
    return (pl.col(name).rank("ordinal") - 1) * n // pl.len()


def _fifths(rows: pl.DataFrame, first: str, second: str) -> pl.DataFrame:
    """Mean influence and share helped of pairs in fifths by two columns; a fifth is named by its median."""
    names = (first, second)
    marked = rows.with_columns(_equal_groups(name, 5).alias(f"fifth_{name}") for name in names)
    return (
        marked.with_columns(pl.col(name).median().over(f"fifth_{name}") for name in names)
        .group_by(first, second)
        .agg(pl.col(INFLUENCE, "helped").mean(), pairs=pl.len())
        .sort(first, second)
    )
