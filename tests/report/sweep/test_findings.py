"""What the sweep's page says follows from its cells."""

import re
from html import unescape

import polars as pl
import pytest

from isotherm.report.page import render
from isotherm.report.sweep.findings import BestFinding, GridFinding, TradeOffsFinding
from isotherm.tuning.folder import FIGURES
from isotherm.tuning.grid import Grid
from isotherm.tuning.plan import Plan, SweepOptions
from isotherm.tuning.sweep import Sweep

NAMES = {"keep": "mask.keep", "anchors": "anchors.weight"}


def sweep(ndcg, drift, half_width=0.005, grid=None):
    """A sweep over keep = 0.5, 1 and anchors = 0, 2 with these figures."""
    cells = (grid or Grid(keep=[0.5, 1], anchors=[0, 2])).cells(NAMES)
    rows = []
    for (cell, settings), value, moved in zip(cells.items(), ndcg, drift, strict=True):
        figures = dict.fromkeys(FIGURES, 0.5) | {"ndcg@100": value, "drift": moved}
        figures |= {"ndcg@100_low": value - half_width, "ndcg@100_high": value + half_width}
        axes = {"beta": None} | {axis: settings.get(name) for axis, name in NAMES.items()}
        rows.append({"cell": cell, **axes, **figures})
    plan = Plan("multvae", {}, cells, SweepOptions(), "log")
    return Sweep(plan, NAMES, pl.DataFrame(rows, infer_schema_length=None))


def words(section, **finding):
    page = render(f"sweep/{section}.html", charts={"tradeoffs": "", "ndcg": "", "drift": ""}, **finding)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page)))


@pytest.mark.parametrize(
    ("ndcg", "drift", "half_width", "says"),
    [
        ([0.1, 0.2, 0.3, 0.4], [0.5, 0.4, 0.3, 0.2], 0.005,
         ["No other cell inside that interval drifts less.",
          "Fit with --set mask.keep=1 --set anchors.weight=2 for ranking."]),
        ([0.1, 0.2, 0.399, 0.4], [0.5, 0.4, 0.1, 0.2], 0.005,
         ["Inside that interval keep=1,anchors=0 drifts least: 10%, at nDCG@100 0.3990.",
          "for ranking, or with --set mask.keep=1 --set anchors.weight=0 where neighbours are shown"]),
        ([0.1, 0.2, 0.3, 0.4], [0.1, 0.4, 0.3, 0.2], 0.5,
         ["Every cell is inside that interval", "The least drift is 10%, at keep=0.5,anchors=0."]),
    ],
    ids=["one cell", "two cells", "all alike"],
)  # fmt: skip
def test_the_best_cell_and_the_steadiest_beside_it(ndcg, drift, half_width, says):
    told = words("best", best=BestFinding.of(sweep(ndcg, drift, half_width)))
    assert all(sentence in told for sentence in says), told


def test_what_goes_with_the_ranking_is_named():
    finding = TradeOffsFinding.of(sweep([0.1, 0.2, 0.3, 0.4], [0.5, 0.4, 0.3, 0.2]))
    assert finding.correlations == {"drift of the nearest users": pytest.approx(-1)}
    told = words("tradeoffs", tradeoffs=finding)
    assert "over the 4 cells: drift of the nearest users −1.00." in told
    assert "The one to watch while tuning is drift of the nearest users" in told
    alone = TradeOffsFinding.of(sweep([0.1], [0.5], grid=Grid()))
    assert "too few cells" in words("tradeoffs", tradeoffs=alone)


@pytest.mark.parametrize(
    ("ndcg", "edges", "says"),
    [
        ([0.1, 0.4, 0.2, 0.3], ["ρ", "λ_A"], "has ρ and λ_A at the edge of the grid: go further."),
        ([0.1, 0.2, 0.4, 0.3], [], "The best cell is inside the grid"),
    ],
)
def test_the_grid_is_told_by_its_ends(ndcg, edges, says):
    finding = GridFinding.of(sweep(ndcg, [0.5, 0.4, 0.3, 0.2]))
    assert finding.edges == edges  # at keep = 1 nothing is left to try
    told = words("grid", grid=finding)
    assert says in told
    keep = f"nDCG@100 goes from {sum(ndcg[:2]) / 2:.4f} to {sum(ndcg[2:]) / 2:.4f} and drift from 45% to 25%;"
    assert f"from kept by the mask, ρ 0.5 to 1, {keep} from anchors, λ_A 0 to 2" in told
