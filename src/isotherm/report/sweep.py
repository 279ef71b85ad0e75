"""The sweep's page: what β, masks and anchors trade against each other, and where to stand."""

from dataclasses import dataclass
from typing import Any

import polars as pl
from scipy.stats import spearmanr

from isotherm.report.figures import INK, LINES, header, inline, svg
from isotherm.report.page import Page, render
from isotherm.report.readings import Reading, Table
from isotherm.tuning.sweep import Sweep
from isotherm.version import __version__

#: what nDCG is held against -> its title
TRADED = {
    "drift": "drift of the nearest users",
    "active": "active units",
    "rank": "effective rank",
    "inside_copy": "thinned copies inside the radius",
    "near": "influence of the nearest users",
    "far_related": "influence of far, related users",
}
_SWEPT = {"beta": "β", "keep": "kept by the mask, ρ", "anchors": "anchors, λ_A"}
_METRIC = "ndcg@100"
_NUMBERS = ("active", "rank", "near", "far_related")  # the other traded figures are shares
_SHORT = {"beta": "β", "keep": "ρ", "anchors": "λ_A"}


@dataclass(frozen=True)
class SweepReport(Page):
    """The page of a sweep."""

    title: str
    source: str
    sweep: Sweep

    def html(self) -> str:
        """The page."""
        swept = [what for what in _SWEPT if self._cells[what].n_unique() > 1]
        readings = [self._stand(), self._trade(swept)]
        if swept:
            readings.append(self._grid(swept))
        return render(
            "sweep.html",
            report=self,
            plan=self.sweep.plan,
            cells=table(self.sweep),
            readings=readings,
            settings=", ".join(f"{name}={value}" for name, value in self.sweep.plan.settings.items()),
            version=__version__,
        )

    @property
    def _cells(self) -> pl.DataFrame:
        return self.sweep.cells

    def _stand(self) -> Reading:
        best, stand = best_cell(self.sweep), steady_cell(self.sweep)
        says = (
            f"The best nDCG@100 is {best[_METRIC]:.4f} [{best[_METRIC + '_low']:.4f}, "
            f"{best[_METRIC + '_high']:.4f}], at "
            f"{best['cell']}, with a drift of {best['drift']:.0%}. "
        )
        if (self._cells[_METRIC] >= best[f"{_METRIC}_low"]).all():
            says += (
                "Every cell is inside that interval: these test users cannot tell them apart. The least "
                "drift is "
                f"{stand['drift']:.0%}, at {stand['cell']}."
            )
        elif stand["cell"] == best["cell"]:
            says += "No other cell inside that interval drifts less."
        else:
            says += (
                f"Inside that interval {stand['cell']} drifts least: {stand['drift']:.0%}, at nDCG@100 "
                f"{stand[_METRIC]:.4f}."
            )
        do = f"Fit with {settings_of(self.sweep, best)} for ranking" + (
            "."
            if stand["cell"] == best["cell"]
            else f", or with {settings_of(self.sweep, stand)} where neighbours are shown or used."
        )
        return Reading(
            "Where to stand",
            "Every cell is a model trained anew and ranked on users it never saw.",
            says,
            do,
            (),
        )

    def _trade(self, swept: list[str]) -> Reading:
        said = []
        for name, title in TRADED.items():
            values = self._cells.select(pl.col(_METRIC), pl.col(name).cast(pl.Float64)).drop_nulls()
            if values.height > 3 and values[name].n_unique() > 1:
                found = spearmanr(values[_METRIC], values[name]).statistic
                said.append((float(found), title))
        if said:
            says = (
                f"Rank correlation with nDCG@100 over the {self._cells.height} cells: "
                f"{', '.join(f'{title} {found:+.2f}' for found, title in said)}."
            ).replace("-", "−")
            closest = max(said, key=lambda each: abs(each[0]))[1]
            do = f"The one to watch while tuning is {closest}: it goes with the ranking most closely."
        else:
            says, do = "There are too few cells to tell what goes with the ranking.", "Sweep more values."
        return Reading(
            "Trade-offs",
            "Each mark is a cell; bars are 95% intervals over the test users. All are measured with masks "
            "that keep "
            f"{self.sweep.plan.probe:.0%} of the clicks, whatever they were trained with.",
            says,
            do,
            (tradeoffs(self._cells, swept),),
        )

    def _grid(self, swept: list[str]) -> Reading:
        parts = []
        for what in swept:
            means = self._cells.group_by(what).agg(pl.col(_METRIC, "drift").mean()).sort(what)
            low, high = means.row(0, named=True), means.row(-1, named=True)
            parts.append(
                f"from {_SWEPT[what]} {low[what]:g} to {high[what]:g}, nDCG@100 goes from {low[_METRIC]:.4f} "
                f"to "
                f"{high[_METRIC]:.4f} and drift from {low['drift']:.0%} to {high['drift']:.0%}"
            )
        edges = [_SHORT[what] for what in swept if self._on_edge(what)]
        return Reading(
            "The grid",
            "Means over the test users, a panel a value of β.",
            f"On average over the rest, {'; '.join(parts)}.",
            f"The best cell has {' and '.join(edges)} at the edge of the grid: go further."
            if edges
            else "The best cell is inside the grid: a finer one around it is all there is to gain.",
            tuple(
                grid(self._cells, swept, value, title)
                for value, title in ((_METRIC, "nDCG@100"), ("drift", "drift"))
            ),
        )

    def _on_edge(self, what: str) -> bool:
        """Whether the best cell is at an end of the values that could go on."""
        value, values = best_cell(self.sweep)[what], sorted(self._cells[what].unique())
        ends = {"beta": (values[0], values[-1]), "keep": (values[0],), "anchors": (values[-1],)}[what]
        closed = {0.0} if what == "beta" else {1.0} if what == "keep" else set()
        return value in ends and value not in closed


def best_cell(sweep: Sweep, **where: float) -> dict[str, Any]:
    """The row of the highest nDCG@100, of all or of the cells with these values: anchors=0."""
    return sweep.cells.filter(**where).sort(_METRIC, descending=True).row(0, named=True)


def steady_cell(sweep: Sweep) -> dict[str, Any]:
    """The row of least drift among those whose nDCG@100 is inside the best one's interval."""
    bound = best_cell(sweep)[f"{_METRIC}_low"]
    return sweep.cells.filter(pl.col(_METRIC) >= bound).sort("drift").row(0, named=True)


def settings_of(sweep: Sweep, cell: dict[str, Any]) -> str:
    """A cell as options of isotherm fit."""
    return " ".join(f"--set {name}={value:g}" for name, value in sweep.plan.cells[cell["cell"]].items())


def table(sweep: Sweep) -> Table:
    """Cells, best first."""
    shown = {
        "beta": "β",
        "keep": "ρ",
        "anchors": "λ_A",
        "ndcg@100": "nDCG@100",
        "recall@20": "Recall@20",
        "drift": "drift",
        "active": "active",
        "rank": "rank",
        "kl": "KL",
        "inside_copy": "copies inside",
        "helped": "pairs that help",
        "near": "influence, near",
        "far_related": "far, related",
    }
    formats = {
        "drift": ".1%",
        "inside_copy": ".1%",
        "helped": ".1%",
        "rank": ".1f",
        "kl": ".1f",
        "epochs": "d",
    }
    formats |= {"beta": "g", "keep": "g", "anchors": "g", "active": "d"}
    shown = {name: title for name, title in shown.items() if sweep.cells[name].count()}  # what is swept
    rows = [
        ["" if row[name] is None else format(row[name], formats.get(name, ".4f")) for name in shown]
        for row in sweep.cells.sort(_METRIC, descending=True).iter_rows(named=True)
    ]
    return Table(list(shown.values()), rows, words=0)


def tradeoffs(cells: pl.DataFrame, swept: list[str]) -> str:
    """nDCG@100 against each traded figure; colour, shape and size say which cell a mark is."""
    import altair as alt

    encodings: dict[str, Any] = {}
    if "anchors" in swept:
        encodings["color"] = alt.Color(
            "anchors:O",
            title=_SWEPT["anchors"],
            scale=alt.Scale(range=LINES),
            legend=alt.Legend(symbolOpacity=1),
        )
    if "keep" in swept:
        encodings["shape"] = alt.Shape("keep:O", title=_SWEPT["keep"])
    if "beta" in swept:
        encodings["size"] = alt.Size("beta:O", title=_SWEPT["beta"], scale=alt.Scale(range=[35, 180]))
    panels = []
    for name, title in TRADED.items():
        rows = cells.filter(pl.col(name).is_not_null())
        base = alt.Chart(inline(rows)).encode(
            x=alt.X(
                f"{name}:Q",
                title=title,
                scale=alt.Scale(zero=False, nice=True),
                axis=alt.Axis(tickCount=5, format="f" if name in _NUMBERS else "%"),  # digits as ticks need
            )
        )
        y = alt.Y(f"{_METRIC}:Q", title="nDCG@100", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
        bars = base.mark_rule(color="#b9c2cc", strokeWidth=1).encode(
            y=alt.Y(f"{_METRIC}_low:Q", title="nDCG@100"), y2=f"{_METRIC}_high:Q"
        )
        marks = base.mark_point(filled=True, opacity=0.85, size=70, color=LINES[0]).encode(y=y, **encodings)
        panels.append(alt.layer(bars, marks).properties(width=340, height=200))
    rows_of_two = [alt.hconcat(*panels[i : i + 2]) for i in range(0, len(panels), 2)]
    return svg(alt.vconcat(*rows_of_two))


def grid(cells: pl.DataFrame, swept: list[str], value: str, title: str) -> str:
    """One value as colour and number: keep × λ_A, a panel a β."""
    import altair as alt

    form = ".1%" if value == "drift" else ".4f"
    base = alt.Chart(inline(cells)).encode(
        x=alt.X("keep:O", axis=_axis("keep", swept)),
        y=alt.Y("anchors:O", axis=_axis("anchors", swept), sort="descending"),
    )
    colour = alt.Color(
        f"{value}:Q",
        title=title,
        scale=alt.Scale(scheme="yellowgreenblue"),
        legend=alt.Legend(format=form, tickCount=4),
    )
    middle = (float(cells[value].min()) + float(cells[value].max())) / 2  # type: ignore[arg-type]
    numbers = base.mark_text(fontSize=10.5).encode(
        text=alt.Text(f"{value}:Q", format=form),
        color=alt.condition(f"datum['{value}'] > {middle}", alt.value("white"), alt.value(INK)),
    )
    n_betas = cells["beta"].n_unique()
    width = min(80 * cells["keep"].n_unique(), 760 // n_betas)
    panels = (base.mark_rect().encode(color=colour) + numbers).properties(
        width=width, height=34 * cells["anchors"].n_unique()
    )
    if "beta" not in swept:
        return svg(panels)
    return svg(panels.facet(column=alt.Column("beta:O", title=None, header=header("'β = ' + datum.value"))))


def _axis(what: str, swept: list[str]) -> Any:
    """The axis of a part of the grid; none where it has one value."""
    import altair as alt

    return alt.Axis(title=_SWEPT[what], labelAngle=0) if what in swept else None
