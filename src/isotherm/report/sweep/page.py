"""The sweep's page: what β, masks and anchors trade against each other, and where to stand.

The words are in templates/sweep/, the numbers and verdicts that choose them in ``findings``, the charts
in ``figures``.
"""

from dataclasses import dataclass

from isotherm.report.page import Page, render
from isotherm.report.sweep.findings import BestFinding, GridFinding, TradeOffsFinding, swept_axes
from isotherm.report.sweep.labels import METRIC, METRIC_LABEL, SHORT
from isotherm.report.tables import Table
from isotherm.tuning.sweep import Sweep
from isotherm.version import __version__

#: column of the table of cells -> its name and format
_COLUMNS = {
    **{axis: (name, "g") for axis, name in SHORT.items()},
    METRIC: (METRIC_LABEL, ".4f"),
    "recall@20": ("Recall@20", ".4f"),
    "drift": ("drift", ".1%"),
    "active": ("active", "d"),
    "rank": ("rank", ".1f"),
    "kl": ("KL", ".1f"),
    "inside_copy": ("copies inside", ".1%"),
    "helped": ("pairs that help", ".1%"),
    "near": ("influence, near", ".4f"),
    "far_related": ("far, related", ".4f"),
}


@dataclass(frozen=True)
class SweepReport(Page):
    """The page of a sweep."""

    title: str
    source: str
    sweep: Sweep

    def html(self) -> str:
        """The page."""
        return render(
            "sweep.html",
            report=self,
            plan=self.sweep.plan,
            cells=table(self.sweep),
            best=BestFinding.of(self.sweep),
            tradeoffs=TradeOffsFinding.of(self.sweep),
            grid=GridFinding.of(self.sweep),
            charts=_charts(self.sweep),
            settings=", ".join(f"{name}={value}" for name, value in self.sweep.plan.settings.items()),
            version=__version__,
        )


def _charts(sweep: Sweep) -> dict[str, str]:
    """Name in the templates -> SVG."""
    from isotherm.report.sweep import figures

    swept, cells = swept_axes(sweep), sweep.cells
    charts = {"tradeoffs": figures.tradeoffs(cells, swept)}
    if swept:
        charts["ndcg"] = figures.grid_heatmap(cells, swept, METRIC, METRIC_LABEL)
        charts["drift"] = figures.grid_heatmap(cells, swept, "drift", "drift")
    return charts


def table(sweep: Sweep) -> Table:
    """Cells, best first; columns that are empty are left out."""
    columns = {name: column for name, column in _COLUMNS.items() if sweep.cells[name].count()}
    rows = [
        ["" if row[name] is None else format(row[name], form) for name, (_, form) in columns.items()]
        for row in sweep.cells.sort(METRIC, descending=True).iter_rows(named=True)
    ]
    return Table([title for title, _ in columns.values()], rows, words=0)
