"""What the geometry page tells, as numbers and verdicts; its words are in templates/geometry/.

A class a section: of the first model, which the words are about; tables have all models.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from isotherm.evaluation.bootstrap import Interval
from isotherm.geometry.collapse import Collapse
from isotherm.geometry.contraction import Contraction
from isotherm.geometry.influence import ConditionTest, FirstOrder
from isotherm.geometry.maps import LatentMap
from isotherm.geometry.pairs import COPY, NEAR, RANDOM
from isotherm.geometry.study import Geometry
from isotherm.report.geometry_labels import CONDITIONS, KINDS, region

Models = Mapping[str, Geometry]

_RARE = 0.01  # share of random pairs inside the radius, below which it is a guarantee for hardly anyone
_LOCAL = 1 / 3  # influence of far related pairs over near related ones, below which sharing is local
_MOSTLY_MASK = 0.5  # drift, above which neighbours are mostly the mask's doing
_SMALL_STEP = 0.1  # of a loss decrease from the first-order one
_SATURATED = 0.95  # of what the information can reach
_APART = 1.5  # times as many neighbours of one taste as by chance
_MOSTLY_SHARED = 4  # shared clicks over others: over four fifths


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
        g = _first(models)
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
        influence = _first(models).influence
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
        g = _first(models)
        curve, before = g.influence.curve, g.untrained.curve
        nearest, farthest = (float(curve["influence"][i]) for i in (0, -1))
        return cls(
            nearest,
            farthest,
            g.influence.correlation,
            _mean(before["influence"]),
            _mean(before["helped"]),
            float(curve.filter(curve["influence"] >= nearest / 2)["distance"].to_numpy().max()),
            _median(g.influence.pairs.filter(kind=RANDOM)["w1_high"]),
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
class InputsFinding:
    """keep: mean probability of a click.  contraction: its pairs and bounds."""

    keep: float
    contraction: Contraction

    @classmethod
    def of(cls, models: Models) -> "InputsFinding":
        g = _first(models)
        return cls(g.drift.keep, g.contraction)

    @property
    def closer(self) -> float:
        """Probability that a mask brings the average pair closer."""
        return _mean(self.contraction.pairs["contracts"])

    @property
    def parted(self) -> float:
        """Probability that a mask parts the average pair."""
        return _mean(self.contraction.pairs["expands"])

    @property
    def similar_parted(self) -> float:
        """The same of pairs that share over four fifths of their clicks."""
        pairs = self.contraction.pairs
        return _mean(pairs.filter(pairs["shared"] > _MOSTLY_SHARED * pairs["l1"])["expands"])


@dataclass(frozen=True)
class DriftFinding:
    """Shares of a user's nearest users, means over users.

    between_masks: that two masks disagree on.  from_clean: that a mask and the clean input do.
    others: the first of the other models.  masked: whether any user's neighbours changed.
    """

    neighbours: int
    between_masks: float
    from_clean: float
    others: dict[str, float]
    masked: bool

    @classmethod
    def of(cls, models: Models) -> "DriftFinding":
        (_, g), *others = models.items()
        return cls(
            g.drift.neighbours,
            float(g.drift.drift.mean()),
            float(g.drift.from_clean.mean()),
            {name: float(other.drift.drift.mean()) for name, other in others},
            g.drift.drift.max() != 0,
        )

    @property
    def mostly_mask(self) -> bool:
        """Whether who is a neighbour is mostly the mask's doing."""
        return self.between_masks > _MOSTLY_MASK


@dataclass(frozen=True)
class AnchorRow:
    """eigenvalue: L.  to_centroid, to_fitted: distances to the learned and to the fitted anchors."""

    model: str
    weight: float
    eigenvalue: float
    tau: float
    mask_variance: float
    relative_variance: float
    to_centroid: float | None
    to_fitted: float

    @classmethod
    def of(cls, model: str, g: Geometry) -> "AnchorRow":
        d = g.drift
        return cls(
            model,
            g.anchors.weight,
            g.anchors.largest_eigenvalue,
            g.anchors.tau(),
            float(d.mask_variance.mean()),
            float(d.relative_variance.mean()),
            None if d.to_centroid is None else float(d.to_centroid.mean()),
            float(d.to_fitted_centroid.mean()),
        )


@dataclass(frozen=True)
class AnchorComparison:
    """The first model over one without anchors.

    plain: name of the other.  variance, relative_variance, distance: ratios, over masks and to the fitted
    anchors.  tau: that theory allows at the other's Hessian.
    """

    plain: str
    variance: float
    relative_variance: float
    distance: float
    tau: float

    @classmethod
    def of(cls, first: AnchorRow, plain: AnchorRow, models: Models) -> "AnchorComparison":
        return cls(
            plain.model,
            _ratio(first.mask_variance, plain.mask_variance),
            _ratio(first.relative_variance, plain.relative_variance),
            _ratio(first.to_fitted, plain.to_fitted),
            models[plain.model].anchors.tau(first.weight),
        )

    @property
    def beyond_theory(self) -> bool:
        """Whether the variance shrinks more than the local bound says."""
        return self.variance < self.tau**2


@dataclass(frozen=True)
class AnchorsFinding:
    """weight, tau: of the first model.  comparison: None where that or no other model is without anchors."""

    weight: float
    tau: float
    comparison: AnchorComparison | None
    rows: list[AnchorRow]

    @classmethod
    def of(cls, models: Models) -> "AnchorsFinding":
        rows = [AnchorRow.of(name, geometry) for name, geometry in models.items()]
        first, plain = rows[0], next((row for row in rows if not row.weight), None)
        compared = None
        if first.weight and plain is not None:
            compared = AnchorComparison.of(first, plain, models)
        return cls(first.weight, first.tau, compared, rows)


@dataclass(frozen=True)
class CollapseFinding:
    """collapse: its figures.  saturated: whether the information is all that so many users can show.

    enough_units: dimensions that would do.
    """

    collapse: Collapse
    saturated: bool
    enough_units: int

    @classmethod
    def of(cls, models: Models) -> "CollapseFinding":
        c = _first(models).collapse
        saturated = c.divergence is not None and c.divergence.information > _SATURATED * c.most_information
        return cls(c, saturated, max(2, round(1.5 * c.rank)))


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
        g = _first(models)
        transported = g.transport.pairs
        return cls(
            _median(transported["w2"] / transported["low"].clip(1e-9)),
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
    return [_median(pairs[name]) for name in ("w1_low", "w1_high", "w2", "radius")]


@dataclass(frozen=True)
class MapFinding:
    """map: of the first model."""

    map: LatentMap

    @classmethod
    def of(cls, models: Models) -> "MapFinding":
        return cls(_first(models).map)

    @property
    def tastes_apart(self) -> bool:
        """Whether neighbours are of one taste much more often than by chance."""
        return self.map.same_taste / max(self.map.by_chance, 1e-9) > _APART

    @property
    def has_anchors(self) -> bool:
        """Whether there are anchors to show."""
        return self.map.anchors.height > 0


@dataclass(frozen=True)
class LeadFinding:
    """verdict: on the collapse.  kept: share of nearest users that two masks agree on.

    near, random: influence of a nearest and of a random user.
    """

    verdict: str
    kept: float
    near: float
    random: float

    @classmethod
    def of(cls, models: Models) -> "LeadFinding":
        g = _first(models)
        near, random = (g.influence.kinds[kind]["influence"].mean for kind in (NEAR, RANDOM))
        return cls(g.collapse.verdict, 1 - float(g.drift.drift.mean()), near, random)


def findings(models: Models) -> dict[str, Any]:
    """What the page tells, by the names that the templates have for it."""
    return {
        "lead": LeadFinding.of(models),
        "radius": RadiusFinding.of(models),
        "theorem": TheoremFinding.of(models),
        "reach": ReachFinding.of(models),
        "regions": RegionsFinding.of(models),
        "inputs": InputsFinding.of(models),
        "drift": DriftFinding.of(models),
        "anchors": AnchorsFinding.of(models),
        "collapse": CollapseFinding.of(models),
        "distances": DistancesFinding.of(models),
        "map": MapFinding.of(models),
    }


def _first(models: Models) -> Geometry:
    return next(iter(models.values()))


def _ratio(value: float, other: float) -> float:
    return value / other if other else math.inf


def _mean(values: pl.Series) -> float:
    return float(values.to_numpy().mean()) if len(values) else 0.0


def _median(values: pl.Series) -> float:
    return float(np.median(values.to_numpy())) if len(values) else 0.0
