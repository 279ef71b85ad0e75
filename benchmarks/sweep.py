"""What β, mask and anchors trade on MovieLens-1M: ``isotherm sweep`` over 27 Multi-VAEs, table and figure.

Needs --data (a folder with interactions.parquet) and --out (a folder for the models; a sweep that was cut off
goes on there). Takes 40 minutes on two cores.
"""

import argparse
from pathlib import Path

from common import RESULTS, report, size

from isotherm import Interactions, progress
from isotherm.report.sweep.figures import tradeoffs
from isotherm.report.sweep.findings import best_cell, settings_of, steady_cell
from isotherm.tuning.grid import Grid
from isotherm.tuning.plan import SweepOptions
from isotherm.tuning.sweep import run_sweep

GRID = size(
    Grid(beta=[0.1, 0.2, 0.5], keep=[0.5, 0.8, 1.0], anchors=[0.0, 1.0, 3.0]),
    Grid(beta=[0.2], keep=[0.5], anchors=[0.0]),
)
SETTINGS = size({"training.patience": 10}, {"training.epochs": 1, "hidden": 16, "latent": 8})
PAIRS = size(2000, 40)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    progress.watch_with("auto")
    clicks = Interactions.read(Path(options.data) / "interactions.parquet")
    measured = SweepOptions(pairs=PAIRS)
    found = run_sweep(clicks, options.out, GRID, settings=SETTINGS, options=measured, jobs=2)
    figure = tradeoffs(found.cells, ["beta", "keep", "anchors"])
    (RESULTS / "sweep_ml1m.svg").write_text(figure, encoding="utf-8")
    best, steady = best_cell(found), steady_cell(found)
    plain = best_cell(found, anchors=0.0)
    report(
        "sweep_ml1m",
        [
            {"what": "cells", "measured": found.cells.height},
            {"what": "best nDCG@100", "measured": best["ndcg@100"]},
            {"what": "best / best without anchors", "measured": best["ndcg@100"] / plain["ndcg@100"]},
            {"what": "drift of the best", "measured": best["drift"]},
            {"what": "least drift inside the best one's interval", "measured": steady["drift"]},
        ],
        best=settings_of(found, best),
        best_without_anchors=settings_of(found, plain),
        steady=settings_of(found, steady),
        cells=[
            {name: round(value, 5) if isinstance(value, float) else value for name, value in row.items()}
            for row in found.cells.drop("seconds").to_dicts()
        ],
    )


if __name__ == "__main__":
    main()
