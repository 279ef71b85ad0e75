"""The geometry page: a summary, and each figure with what it says and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass

from isotherm.geometry.study import Geometry, Study
from isotherm.report.geometry_readings import first_of, readings, with_interval
from isotherm.report.page import Page, render
from isotherm.report.readings import Table
from isotherm.version import __version__


@dataclass(frozen=True)
class GeometryReport(Page):
    """The page of a study; the first model is the one that the words are about."""

    title: str
    source: str
    study: Study

    def html(self) -> str:
        """The page."""
        models = self.study.models
        return render(
            "geometry.html",
            report=self,
            study=self.study,
            lead=_lead(models),
            summary=summary(models),
            readings=readings(models),
            version=__version__,
        )


def _lead(models: Mapping[str, Geometry]) -> str:
    _, g = first_of(models)
    near, random = (g.influence.kinds[kind]["influence"].mean for kind in ("near", "random"))
    return (
        f"{g.collapse.verdict} Two masks agree on {1 - g.drift.drift.mean():.0%} of a user's nearest users. "
        f"A step on a user's nearest neighbour is worth {near:.1%} of an own step, one on a random user "
        f"{random:.1%}."
    )


def summary(models: Mapping[str, Geometry]) -> Table:
    """One row a figure, one column a model."""
    rows: dict[str, list[str]] = {}

    def add(what: str, value: str) -> None:
        rows.setdefault(what, []).append(value)

    for g in models.values():
        random, near = g.influence.kinds["random"], g.influence.kinds["near"]
        add("random pairs that help", f"{random['helped'].mean:.1%}")
        add("random pairs inside the radius", f"{random['inside'].mean:.2%}")
        add("influence of a random user", with_interval(random["influence"]))
        add("influence of a nearest user", with_interval(near["influence"]))
        add(f"drift of the {g.drift.neighbours} nearest users", f"{g.drift.drift.mean():.1%}")
        add("spread of a mean over masks", f"{g.drift.relative_variance.mean():.1%}")
        add("KL, nats a user", "none" if g.collapse.kl is None else f"{g.collapse.kl:.1f}")
        add("active units", f"{g.collapse.active} of {g.collapse.units}")
        add("effective rank", f"{g.collapse.rank:.1f}")
        add("anchors, λ_A", f"{g.anchors.weight:g}")
    return Table(["", *models], [[what, *values] for what, values in rows.items()])
