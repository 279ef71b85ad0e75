"""Numbers and verdicts of the geometry page on the latent space: masks, drift, anchors, collapse, maps.

A class a section, whose words are in the template of its name: of the first model, which the words are about;
tables have all models.
"""

import math
from dataclasses import dataclass

from isotherm.geometry.collapse import Collapse
from isotherm.geometry.contraction import Contraction
from isotherm.geometry.maps import LatentMap
from isotherm.geometry.pairs import NEAR, RANDOM
from isotherm.geometry.study import Geometry
from isotherm.report.geometry.summaries import Models, first_of, mean

_MOSTLY_MASK = 0.5  # drift, above which neighbours are mostly the mask's doing
_SATURATED = 0.95  # of what the information can reach
_APART = 1.5  # times as many neighbours of one taste as by chance
_MOSTLY_SHARED = 4  # shared clicks over others: over four fifths


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
        g = first_of(models)
        near, random = (g.influence.kinds[kind]["influence"].mean for kind in (NEAR, RANDOM))
        return cls(g.collapse.verdict, 1 - float(g.drift.drift.mean()), near, random)


@dataclass(frozen=True)
class InputsFinding:
    """keep: mean probability of a click.  contraction: its pairs and bounds."""

    keep: float
    contraction: Contraction

    @classmethod
    def of(cls, models: Models) -> "InputsFinding":
        g = first_of(models)
        return cls(g.drift.keep, g.contraction)

    @property
    def closer(self) -> float:
        """Probability that a mask brings the average pair closer."""
        return mean(self.contraction.pairs["contracts"])

    @property
    def parted(self) -> float:
        """Probability that a mask parts the average pair."""
        return mean(self.contraction.pairs["expands"])

    @property
    def similar_parted(self) -> float:
        """The same of pairs that share over four fifths of their clicks."""
        pairs = self.contraction.pairs
        return mean(pairs.filter(pairs["shared"] > _MOSTLY_SHARED * pairs["l1"])["expands"])


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


def _ratio(value: float, other: float) -> float:
    return value / other if other else math.inf


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
        c = first_of(models).collapse
        saturated = c.divergence is not None and c.divergence.information > _SATURATED * c.most_information
        return cls(c, saturated, max(2, round(1.5 * c.rank)))


@dataclass(frozen=True)
class MapFinding:
    """map: of the first model."""

    map: LatentMap

    @classmethod
    def of(cls, models: Models) -> "MapFinding":
        return cls(first_of(models).map)

    @property
    def tastes_apart(self) -> bool:
        """Whether neighbours are of one taste much more often than by chance."""
        return self.map.same_taste / max(self.map.by_chance, 1e-9) > _APART

    @property
    def has_anchors(self) -> bool:
        """Whether there are anchors to show."""
        return self.map.anchors.height > 0
