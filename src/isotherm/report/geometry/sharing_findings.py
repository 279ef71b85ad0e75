"""Numbers and verdicts of the geometry page on pairs of users: radius, theorem, reach, regions, distances.

A class a section, whose words are in the template of its name: of the first model, which the words are about;
tables have all models.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from isotherm.evaluation.bootstrap import Interval
from isotherm.geometry.influence import ConditionTest, FirstOrder
from isotherm.geometry.pairs import COPY, NEAR, RANDOM
from isotherm.geometry.study import Geometry
from isotherm.report.geometry.labels import CONDITIONS, KINDS, region
from isotherm.report.geometry.summaries import Models, first_of, mean, median

_RARE = 0.01  # share of random pairs inside the radius, below which it is a guarantee for hardly anyone
_LOCAL = 1 / 3  # influence of far related pairs over near related ones, below which sharing is local
_SMALL_STEP = 0.1  # of a loss decrease from the first-order one


@dataclass(frozen=True)
class KindShares:
    """A share of the pairs of each kind: random and near users, subsampled copies."""

    random: float
    near: float
    copies: float

    @classmethod
    def of(cls, g: Geometry, name: str) -> "KindShares":
        return cls(*(g.influence.kinds[kind][name].mean for kind in (RANDOM, NEAR, COPY)))


@dataclass(frozen=True)
class RadiusFinding:
    """inside: shares inside the radius.  helped: shares whom the step did help."""

    inside: KindShares
    helped: KindShares

    @classmethod
    def of(cls, models: Models) -> "RadiusFinding":
        g = first_of(models)
        return cls(KindShares.of(g, "inside"), KindShares.of(g, "helped"))

    @property
    def rare(self) -> bool:
        """Whether hardly any random pair is inside."""
        return self.inside.random < _RARE


@dataclass(frozen=True)
class TheoremRow:
    """How often u's loss fell where a condition holds, after and before training."""

    model: str
    condition: str
    trained: ConditionTest
    untrained: ConditionTest


@dataclass(frozen=True)
class TheoremFinding:
    """rate: η.  inside: the test of the pairs inside the radius."""

    rate: float
    inside: ConditionTest
    first_order: FirstOrder
    rows: list[TheoremRow]

    @classmethod
    def of(cls, models: Models) -> "TheoremFinding":
        influence = first_of(models).influence
        rows = [
            TheoremRow(name, CONDITIONS[condition], test, geometry.untrained.tests[condition])
            for name, geometry in models.items()
            for condition, test in geometry.influence.tests.items()
        ]
        return cls(influence.sharing.rate, influence.tests["inside"], influence.first_order, rows)

    @property
    def broken(self) -> int | None:
        """Pairs inside the radius whose loss rose all the same; None where no pair is inside."""
        return None if self.inside.helped is None else round(self.inside.pairs * (1 - self.inside.helped))

    @property
    def small_step(self) -> bool:
        """Whether the steps were small enough for first-order theory."""
        return abs((self.first_order.decrease_ratio or 0) - 1) < _SMALL_STEP


@dataclass(frozen=True)
class ReachFinding:
    """How influence falls with distance.

    nearest, farthest: influence in the first and the last tenth by distance.  untrained, untrained_helped:
    mean influence and share helped before training.  reach: distance up to which influence is at least half
    of the nearest.  random_distance: median distance of two random users.
    """

    nearest: float
    farthest: float
    correlation: Interval
    untrained: float
    untrained_helped: float
    reach: float
    random_distance: float

    @classmethod
    def of(cls, models: Models) -> "ReachFinding":
        g = first_of(models)
        curve, before = g.influence.curve, g.untrained.curve
        nearest, farthest = (float(curve["influence"][i]) for i in (0, -1))
        return cls(
            nearest,
            farthest,
            g.influence.correlation,
            mean(before["influence"]),
            mean(before["helped"]),
            float(curve.filter(curve["influence"] >= nearest / 2)["distance"].to_numpy().max()),
            median(g.influence.pairs.filter(kind=RANDOM)["w1_high"]),
        )

    @property
    def falls(self) -> bool:
        """Whether influence falls with distance for certain."""
        return self.correlation.high < 0


@dataclass(frozen=True)
class RegionRow:
    """Random pairs of one region: means over them, and their share."""

    model: str
    region: str
    share: float
    influence: float
    helped: float
    inside: float
    distance: float


@dataclass(frozen=True)
class RegionsFinding:
    """Influence of three regions, 0 where one is empty.  others: far related pairs of the other models."""

    far_related: float
    near_related: float
    far_unrelated: float
    others: dict[str, float]
    rows: list[RegionRow]

    @classmethod
    def of(cls, models: Models) -> "RegionsFinding":
        rows = [row for name, geometry in models.items() for row in _region_rows(name, geometry)]
        influence = {(row.model, row.region): row.influence for row in rows}
        first, *others = models
        far = region(far=True, related=True)
        return cls(
            influence.get((first, far), 0.0),
            influence.get((first, region(far=False, related=True)), 0.0),
            influence.get((first, region(far=True, related=False)), 0.0),
            {name: influence[name, far] for name in others if (name, far) in influence},
            rows,
        )

    @property
    def local(self) -> bool:
        """Whether far related users share much less than near ones."""
        return self.far_related < _LOCAL * self.near_related


def _region_rows(model: str, geometry: Geometry) -> list[RegionRow]:
    names = ("share", "influence", "helped", "inside", "distance")
    return [
        RegionRow(model, region(row["far"], row["related"]), *(row[name] for name in names))
        for row in geometry.influence.regions.iter_rows(named=True)
        if row.get("influence") is not None
    ]


@dataclass(frozen=True)
class Quantiles:
    """Median, 5th and 95th percentile."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: pl.Series) -> "Quantiles":
        low, median, high = np.quantile(values.to_numpy(), [0.05, 0.5, 0.95])
        return cls(float(median), float(low), float(high))


@dataclass(frozen=True)
class DistanceRow:
    """Medians over the pairs of one kind."""

    model: str
    kind: str
    w1_low: float
    w1_high: float
    w2: float
    radius: float


@dataclass(frozen=True)
class DistancesFinding:
    """w2_ratio: W₂ over the distance of the means, median.  n_transported, at_most_w2: pairs of the optimal
    transport, and the share of them where it is below W₂.  jacobian, secant: L_θz by each estimate.
    """

    w2_ratio: float
    n_transported: int
    at_most_w2: float
    jacobian: Quantiles
    secant: Quantiles
    rows: list[DistanceRow]

    @classmethod
    def of(cls, models: Models) -> "DistancesFinding":
        g = first_of(models)
        transported = g.transport.pairs
        return cls(
            median(transported["w2"] / transported["low"].clip(1e-9)),
            transported.height,
            g.transport.at_most_w2,
            Quantiles.of(g.influence.pairs["lipschitz"]),
            Quantiles.of(g.influence.pairs["lipschitz_secant"]),
            [
                DistanceRow(name, KINDS[kind], *_medians(geometry.influence.pairs.filter(kind=kind)))
                for name, geometry in models.items()
                for kind in (RANDOM, NEAR, COPY)
            ],
        )


def _medians(pairs: pl.DataFrame) -> list[float]:
    return [median(pairs[name]) for name in ("w1_low", "w1_high", "w2", "radius")]
