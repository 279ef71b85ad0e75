"""What the sweep's page tells, as numbers and verdicts; its words are in templates/sweep/."""

from dataclasses import dataclass
from typing import Any

import polars as pl
from scipy.stats import spearmanr

from isotherm.report.sweep.labels import AXES, METRIC, SHORT, TRADED
from isotherm.tuning.sweep import Sweep

_LEAST_CELLS = 4  # for a rank correlation
#: axis -> its end at which nothing is left to try
_CLOSED_END = {"beta": 0.0, "keep": 1.0}


def best_cell(sweep: Sweep, **where: float) -> dict[str, Any]:
    """The row of the highest nDCG@100, of all or of the cells with these values: anchors=0."""
    return sweep.cells.filter(**where).sort(METRIC, descending=True).row(0, named=True)


def steady_cell(sweep: Sweep) -> dict[str, Any]:
    """The row of least drift among those whose nDCG@100 is inside the best one's interval."""
    bound = best_cell(sweep)[f"{METRIC}_low"]
    return sweep.cells.filter(pl.col(METRIC) >= bound).sort("drift").row(0, named=True)


def settings_of(sweep: Sweep, cell: dict[str, Any]) -> str:
    """A cell as options of isotherm fit."""
    return " ".join(f"--set {name}={value:g}" for name, value in sweep.plan.cells[cell["cell"]].items())


@dataclass(frozen=True)
class Cell:
    """A cell: nDCG@100 with its interval, drift, and its settings as options of isotherm fit."""

    name: str
    ndcg: float
    low: float
    high: float
    drift: float
    settings: str

    @classmethod
    def of(cls, sweep: Sweep, row: dict[str, Any]) -> "Cell":
        low, high = row[f"{METRIC}_low"], row[f"{METRIC}_high"]
        return cls(row["cell"], row[METRIC], low, high, row["drift"], settings_of(sweep, row))


@dataclass(frozen=True)
class BestFinding:
    """best: for ranking.  steady: of least drift inside its interval.  alike: all cells are inside."""

    best: Cell
    steady: Cell
    alike: bool

    @classmethod
    def of(cls, sweep: Sweep) -> "BestFinding":
        best = Cell.of(sweep, best_cell(sweep))
        alike = bool((sweep.cells[METRIC] >= best.low).all())
        return cls(best, Cell.of(sweep, steady_cell(sweep)), alike)

    @property
    def best_is_steady(self) -> bool:
        """Whether the best cell is the steadiest as well."""
        return self.best.name == self.steady.name


@dataclass(frozen=True)
class TradeOffsFinding:
    """correlations: title of a figure -> its rank correlation with nDCG@100 over the cells."""

    correlations: dict[str, float]
    cells: int
    probe: float

    @classmethod
    def of(cls, sweep: Sweep) -> "TradeOffsFinding":
        correlations = {}
        for name, title in TRADED.items():
            values = sweep.cells.select(pl.col(METRIC), pl.col(name).cast(pl.Float64)).drop_nulls()
            if values.height >= _LEAST_CELLS and values[name].n_unique() > 1:
                correlations[title] = float(spearmanr(values[METRIC], values[name]).statistic)
        return cls(correlations, sweep.cells.height, sweep.plan.options.probe)

    @property
    def closest(self) -> str:
        """The figure that goes with the ranking most closely."""
        return max(self.correlations, key=lambda title: abs(self.correlations[title]))


@dataclass(frozen=True)
class AxisEnds:
    """Means over the cells at the least and at the largest value of an axis."""

    axis: str
    low: float
    high: float
    ndcg_low: float
    ndcg_high: float
    drift_low: float
    drift_high: float

    @classmethod
    def of(cls, cells: pl.DataFrame, axis: str) -> "AxisEnds":
        means = cells.group_by(axis).agg(pl.col(METRIC, "drift").mean()).sort(axis)
        ends = (means[name][i] for name in (axis, METRIC, "drift") for i in (0, -1))
        return cls(AXES[axis], *ends)


@dataclass(frozen=True)
class GridFinding:
    """axes: that are swept.  edges: those where the best cell is at an end that could go on."""

    axes: list[AxisEnds]
    edges: list[str]

    @classmethod
    def of(cls, sweep: Sweep) -> "GridFinding":
        axes = swept_axes(sweep)
        edges = [SHORT[axis] for axis in axes if _is_on_edge(sweep, axis)]
        return cls([AxisEnds.of(sweep.cells, axis) for axis in axes], edges)


def swept_axes(sweep: Sweep) -> list[str]:
    """The axes with several values."""
    return [axis for axis in AXES if sweep.cells[axis].n_unique() > 1]


def _is_on_edge(sweep: Sweep, axis: str) -> bool:
    """Whether the best cell is at an end of the values that could go on."""
    value, values = best_cell(sweep)[axis], sorted(sweep.cells[axis].unique())
    ends = {"beta": (values[0], values[-1]), "keep": (values[0],), "anchors": (values[-1],)}[axis]
    return value in ends and value != _CLOSED_END.get(axis)
