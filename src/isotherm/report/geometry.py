"""The geometry page: a summary, and each figure with what it says and what to do.

The words are in templates/geometry/, the numbers and verdicts that choose them in ``geometry_findings``, the
charts in ``geometry_figures`` and ``geometry_maps``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from isotherm.geometry.pairs import NEAR, RANDOM
from isotherm.geometry.study import Geometry, Study
from isotherm.report.geometry_findings import findings
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
        sections = findings(models)
        return render(
            "geometry.html",
            report=self,
            study=self.study,
            first=next(iter(models)),
            summary=summary(models),
            sections=SECTIONS if sections["map"].has_anchors else SECTIONS[:-1],
            charts=_charts(models),
            version=__version__,
            **sections,
        )


def _charts(models: Mapping[str, Geometry]) -> dict[str, str]:
    """Name in the templates -> SVG."""
    from isotherm.report import geometry_figures as figures
    from isotherm.report import geometry_maps as maps

    first = next(iter(models.values()))
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


def summary(models: Mapping[str, Geometry]) -> Table:
    """One row a figure, one column a model."""
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
