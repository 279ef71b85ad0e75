"""The geometry page: a summary, and each figure with what it says and what to do.

The words are in templates/geometry/, the numbers and verdicts that choose them in ``sharing_findings`` and
``latent_findings``, the charts in ``figures`` and ``maps``.
"""

from dataclasses import dataclass
from typing import Any

from isotherm.geometry.pairs import NEAR, RANDOM
from isotherm.geometry.study import Geometry, Study
from isotherm.report.geometry.latent_findings import (
    AnchorsFinding,
    CollapseFinding,
    DriftFinding,
    InputsFinding,
    LeadFinding,
    MapFinding,
)
from isotherm.report.geometry.sharing_findings import (
    DistancesFinding,
    RadiusFinding,
    ReachFinding,
    RegionsFinding,
    TheoremFinding,
)
from isotherm.report.geometry.summaries import Models, first_of
from isotherm.report.page import Page, render
from isotherm.report.tables import Table, interval
from isotherm.version import __version__

#: sections of the page, each a template, in order
SECTIONS = (
    *("radius", "theorem", "reach", "regions", "inputs", "drift", "anchors", "collapse", "distances"),
    *("clicks_map", "taste_map", "anchor_map"),
)


@dataclass(frozen=True)
class GeometryReport(Page):
    """The page of a study; the first model is the one that the words are about."""

    title: str
    source: str
    study: Study

    def html(self) -> str:
        """The page."""
        models = self.study.models
        findings = _findings(models)
        return render(
            "geometry.html",
            report=self,
            study=self.study,
            first=next(iter(models)),
            summary=summary(models),
            sections=SECTIONS if findings["map"].has_anchors else SECTIONS[:-1],
            charts=_charts(models),
            version=__version__,
            **findings,
        )


def _findings(models: Models) -> dict[str, Any]:
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


def _charts(models: Models) -> dict[str, str]:
    """Name in the templates -> SVG."""
    from isotherm.report.geometry import figures, maps

    first = first_of(models)
    charts = {
        "conditions": figures.condition_bars(models),
        "influence": figures.influence_curves(models),
        "regions": figures.region_bars(models),
        "grids": figures.influence_grids(first.influence),
        "inputs": figures.masked_input_bars(first.contraction),
        "drift": figures.drift_curves(models),
        "units": figures.unit_curves(models),
    }
    for colour in ("clicks", "taste"):
        charts |= {f"{colour}_{plane}": maps.user_maps(models, plane, colour) for plane in ("pca", "tsne")}
    return charts | ({"anchors": maps.anchor_map(first.map)} if first.map.anchors.height else {})


def summary(models: Models) -> Table:
    """One row per figure, one column per model."""
    columns = [_summary_column(geometry) for geometry in models.values()]
    neighbours = next(iter(models.values())).drift.neighbours
    names = [
        "random pairs that help",
        "random pairs inside the radius",
        "influence of a random user",
        "influence of a nearest user",
        f"drift of the {neighbours} nearest users",
        "variance over masks, of that between users",
        "KL, nats per user",
        "active units",
        "effective rank",
        "anchors, λ_A",
    ]
    rows = [[name, *values] for name, *values in zip(names, *columns, strict=True)]
    return Table(["", *models], rows)


def _summary_column(g: Geometry) -> list[str]:
    random, near = g.influence.kinds[RANDOM], g.influence.kinds[NEAR]
    return [
        f"{random['helped'].mean:.1%}",
        f"{random['inside'].mean:.2%}",
        interval(random["influence"]),
        interval(near["influence"]),
        f"{g.drift.drift.mean():.1%}",
        f"{g.drift.relative_variance.mean():.1%}",
        "none" if g.collapse.kl is None else f"{g.collapse.kl:.1f}",
        f"{g.collapse.active} of {g.collapse.units}",
        f"{g.collapse.rank:.1f}",
        f"{g.anchors.weight:g}",
    ]
