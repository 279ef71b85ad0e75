"""How sensitive a Multi-VAE is to λ_A, the mask's keep probability and β: a table and a figure, MovieLens-1M.

One split of ``vae_accuracy.py`` (seed 0), early stopping with a patience of 10; a cell is one training.
Needs --data: a folder with interactions.parquet. Takes half an hour on two cores.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["ISOTHERM_THREADS"] = (
    "1"  # one core a cell: the cells run side by side
)

import argparse
import itertools
import multiprocessing
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl
from common import RESULTS, report
from vae_accuracy import measured, strong_split

from isotherm import Annealed, Bernoulli, Interactions, ItemAnchors, MultVAE, Training, progress

ANCHORS, KEEPS, BETAS = (0.0, 1.0, 3.0), (0.3, 0.5, 0.8), (0.1, 0.2, 0.5)


def cell(arguments: tuple[str, float, float, float]) -> dict[str, Any]:
    """Validation and test nDCG@100 of one setting."""
    folder, weight, keep, beta = arguments
    progress.watch_with("silent")
    split = strong_split(Interactions.read(Path(folder) / "interactions.parquet"), 0)
    parts = {"mask": Bernoulli(keep=keep), "beta": Annealed(cap=beta), "anchors": ItemAnchors(weight=weight)}
    model = MultVAE(**parts, training=Training(patience=10))
    model.fit(split.train, valid=split.valid)
    found = measured(model, split)[0]["ndcg@100"].mean()
    print(f"λ_A {weight:g}  keep {keep:g}  β {beta:g}  {found:.4f}", flush=True)
    setting = {"anchors": weight, "keep": keep, "beta": beta, "epochs": model.progress_.best_epoch}
    return setting | {"valid": round(model.progress_.best, 4), "test": round(float(found), 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    folder = parser.parse_args().data
    jobs = [(folder, *setting) for setting in itertools.product(ANCHORS, KEEPS, BETAS)]
    with multiprocessing.get_context("spawn").Pool(len(os.sched_getaffinity(0))) as pool:
        cells = pool.map(cell, jobs, chunksize=1)
    draw(cells)
    best = max(cells, key=lambda c: c["valid"])
    plain = max((c for c in cells if not c["anchors"]), key=lambda c: c["valid"])
    report(
        "vae_sweep_ml1m",
        [
            {"what": "cells", "measured": len(cells)},
            {"what": "best by validation, test nDCG@100", "measured": best["test"]},
            {"what": "the same without anchors", "measured": plain["test"]},
            {"what": "anchors / without, each at its best", "measured": best["test"] / plain["test"]},
        ],
        best=best,
        best_without_anchors=plain,
        cells=cells,
    )


def draw(cells: list[dict[str, Any]]) -> None:
    """results/vae_sweep_ml1m.svg: keep × λ_A, one panel a β, nDCG@100 as colour and number."""
    base = alt.Chart(pl.DataFrame(cells)).encode(
        x=alt.X("keep:O", title="kept by the mask, ρ", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("anchors:O", title="anchors, λ_A", sort="descending"),
    )
    colour = alt.Color("test:Q", title="nDCG@100", scale=alt.Scale(scheme="yellowgreenblue"))
    middle = sum(c["test"] for c in cells) / len(cells)
    numbers = base.mark_text(fontSize=11).encode(
        text=alt.Text("test:Q", format=".3f"),
        color=alt.condition(f"datum.test > {middle}", alt.value("white"), alt.value("black")),
    )
    panels = (base.mark_rect().encode(color=colour) + numbers).properties(width=190, height=160)
    chart = panels.facet(column=alt.Column("beta:O", title="cap of β")).properties(
        title="Multi-VAE on MovieLens-1M, strong generalization, test nDCG@100"
    )
    chart.save(RESULTS / "vae_sweep_ml1m.svg")


if __name__ == "__main__":
    main()
