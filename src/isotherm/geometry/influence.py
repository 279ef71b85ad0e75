"""What the measured pairs say: who is inside the radius, does the theorem hold, how far influence reaches.

Influence is how much u's loss fell by v's step, over η ‖g_u‖ ‖g_v‖: to first order the cosine of the two
gradients, 1 where v's step is as good for u as a step of its own of the same length. Intervals are bootstraps
over the probes.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from isotherm.evaluation.bootstrap import DRAWS, LEVEL, Interval, intervals
from isotherm.geometry.sharing import Sharing
from isotherm.streams import stream

#: condition on a pair -> when it holds
CONDITIONS = {
    "inside": pl.col("way") < pl.col("radius"),
    "inside_secant": pl.col("way") < pl.col("radius_secant"),
    "closer": pl.col("apart") < pl.col("norm_u"),
    "aligned": pl.col("inner") > 0,
    "helped": pl.col("drop") > 0,
}
INFLUENCE = "influence"


@dataclass(frozen=True)
class Tested:
    """Pairs where a condition holds, and how many of them the step did help.

    pairs: how many.  helped: share of them whose loss fell; None where there are none.
    """

    pairs: int
    helped: float | None


@dataclass(frozen=True)
class Influence:
    """The pairs of a ``Sharing``, with conditions (bool) and influence as columns, and summaries of them.

    kinds: kind -> condition -> share of the pairs; and "influence", its mean.
    tests: condition -> how often the loss fell where it holds, over all pairs.
    order: median of |drop − η ⟨g_u, g_v⟩| with the whole step over the same with half of it: about 4 where
    the remainder is O(η²).  first_order: median of drop / (η ⟨g_u, g_v⟩).  Both of the pairs of large
    products; None where there is nothing to divide by.
    correlation: Spearman's, of influence and latent distance, random and near pairs.
    curve: kind "random" and "near" in tenths by latent distance: distance, influence, low, high, helped.
    regions: random pairs, far (ℓ₁ at or above their median) × related (overlap at or above its median):
    share, influence, low, high, helped, inside, closer, distance.
    by_shared, by_jaccard: random pairs in fifths by ℓ₁ and by shared clicks, by ℓ₁ and by Jaccard: l1, shared
    or jaccard (medians of the fifth), influence, helped, pairs.  by_clicks: by clicks_u and clicks_v.
    """

    pairs: pl.DataFrame
    kinds: dict[str, dict[str, Interval]]
    tests: dict[str, Tested]
    order: float | None
    first_order: float | None
    correlation: Interval
    curve: pl.DataFrame
    regions: pl.DataFrame
    by_shared: pl.DataFrame
    by_jaccard: pl.DataFrame
    by_clicks: pl.DataFrame


def summarise_influence(sharing: Sharing, seed: int = 0) -> Influence:
    """Sum up."""
    pairs = sharing.pairs.with_columns(**CONDITIONS).with_columns(
        influence=_over("drop", sharing.rate * pl.col("norm_u") * pl.col("norm_v"))
    )
    first = sharing.rate * pl.col("inner")
    remainder = (pl.col("drop") - first).abs()
    halved = (pl.col("drop_half") - first / 2).abs()
    large = pairs.filter(pl.col("inner").abs() >= pl.col("inner").abs().median())  # others are rounding
    others, random = pairs.filter(pl.col("kind") != "twin"), pairs.filter(kind="random")
    return Influence(
        pairs,
        {str(kind): _shares(rows, seed) for (kind,), rows in pairs.group_by("kind", maintain_order=True)},
        {name: _tested(pairs, name) for name in CONDITIONS if name != "helped"},
        _median_of(large, remainder / halved),
        _median_of(large, pl.col("drop") / first),
        _correlation(others, seed),
        _curve(others, seed),
        _regions(random, seed),
        _fifths(random, "l1", "shared"),
        _fifths(random, "l1", "jaccard"),
        _fifths(random, "clicks_u", "clicks_v"),
    )


def _median_of(rows: pl.DataFrame, ratio: pl.Expr) -> float | None:
    """Its median over the rows where it is a number."""
    found = rows.select(ratio.alias("ratio")).filter(pl.col("ratio").is_finite())["ratio"].median()
    return None if found is None else float(found)  # type: ignore[arg-type]


def _over(name: str, scale: pl.Expr) -> pl.Expr:
    """A column over a scale, 0 where the scale is."""
    return pl.when(scale > 0).then(pl.col(name) / scale).otherwise(0.0)


def _means(rows: pl.DataFrame, names: list[str], seed: int) -> list[Interval]:
    """Mean and interval of each column, probes drawn."""
    by_probe = rows.group_by("u", maintain_order=True).agg(pl.col(names).mean())
    return intervals(by_probe.select(pl.col(names).cast(pl.Float64)).to_numpy(), seed)


def _shares(rows: pl.DataFrame, seed: int) -> dict[str, Interval]:
    names = [*CONDITIONS, INFLUENCE]
    return dict(zip(names, _means(rows, names, seed), strict=True))


def _tested(pairs: pl.DataFrame, condition: str) -> Tested:
    held = pairs.filter(pl.col(condition))["helped"]
    return Tested(len(held), float(held.sum() / len(held)) if len(held) else None)


def _correlation(rows: pl.DataFrame, seed: int) -> Interval:
    """Spearman's rank correlation and its interval, probes drawn with replacement; 0 where all are equal."""
    probes = rows["u"].rank("dense").to_numpy().astype(np.int64) - 1
    values = rows.select(pl.col("w1_high", INFLUENCE).rank()).to_numpy()
    if (np.ptp(values, axis=0) == 0).any():
        return Interval(0.0, 0.0, 0.0)
    found = float(spearmanr(values[:, 0], values[:, 1]).statistic)
    rng, n = stream(seed, "bootstrap of the correlation"), int(probes.max()) + 1
    draws = []
    for _ in range(DRAWS):
        weights = np.bincount(rng.integers(n, size=n), minlength=n)[probes].astype(float)
        centred = values - np.average(values, axis=0, weights=weights)
        cross = (weights * centred[:, 0] * centred[:, 1]).sum()
        draws.append(cross / np.sqrt(np.prod((weights[:, None] * centred**2).sum(axis=0))))
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(found, float(low), float(high))


def _curve(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    ranked = rows.with_columns(
        tenth=((pl.col("w1_high").rank("ordinal") - 1) * 10 // pl.len()).cast(pl.Int64)
    )
    out = []
    for (tenth,), some in sorted(ranked.group_by("tenth"), key=lambda each: each[0]):
        value, helped = _means(some, [INFLUENCE, "helped"], seed)
        row = {"tenth": tenth, "distance": some["w1_high"].median(), "influence": value.mean}
        out.append(row | {"low": value.low, "high": value.high, "helped": helped.mean})
    return pl.DataFrame(out)


def _regions(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    marked = rows.with_columns(
        far=pl.col("l1") >= pl.col("l1").median(),
        related=(pl.col("overlap") >= pl.col("overlap").median()) & (pl.col("shared") > 0),
    )
    out = []
    for far in (False, True):
        for related in (True, False):
            some = marked.filter((pl.col("far") == far) & (pl.col("related") == related))
            row: dict[str, object] = {
                "far": far,
                "related": related,
                "share": some.height / max(rows.height, 1),
            }
            if some.height:
                value, helped, inside, closer = _means(some, [INFLUENCE, "helped", "inside", "closer"], seed)
                row |= {"influence": value.mean, "low": value.low, "high": value.high}
                row |= {"helped": helped.mean, "inside": inside.mean, "closer": closer.mean}
                row |= {"distance": float(some["w1_high"].mean() or 0)}  # type: ignore[arg-type]
            out.append(row)
    return pl.DataFrame(out)


def _fifths(rows: pl.DataFrame, first: str, second: str) -> pl.DataFrame:
    """Mean influence and share helped of pairs in fifths by two columns; a fifth is named by its median."""
    marked = rows.with_columns(
        ((pl.col(name).rank("ordinal") - 1) * 5 // pl.len()).alias(f"fifth_{name}")
        for name in (first, second)
    ).with_columns(pl.col(name).median().over(f"fifth_{name}") for name in (first, second))
    return (
        marked.group_by(first, second)
        .agg(pl.col(INFLUENCE, "helped").mean(), pairs=pl.len())
        .sort(first, second)
    )
