"""Whether the practice platform's estimates hold its truth, and whether its verdicts are right.

Runs of `isotherm experiment demo` with other viewers and other arms: EASE against kernel-ridge, and EASE
against itself (A/A). Most run without HTTP: the same viewers, assignment, models, log and analysis, with
lists straight from the models. A few run on a real server, and must give the same figures as those without.

right: a verdict «ship» where the truth is better than no effect; «stop» where it is worse, or gains less than
is worth having (1%); «wait» where the 95% interval does not leave out 0.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "2")

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
from common import SMOKE, report, size
from scipy.sparse import csr_array

from isotherm import Interactions, Items
from isotherm.data.datasets import dataset
from isotherm.experiment.practice import DemoResult, Practice, World, practise, practise_offline

RUNS = size(50, 2)
SEEDS = range(50, 50 + RUNS)  # those below were seen while the viewers were made
SERVED = size(2, 1)  # runs on a real server
SETTINGS = size({"draws": 3}, {"viewers": 60, "days": 3, "draws": 1})
SECONDS = 180  # of one demo on a quiet machine with two cores


def films() -> tuple[Interactions, Items]:
    """MovieLens-100K; of a smoke run, clicks drawn at random."""
    if not SMOKE:
        loaded = dataset("ml-100k").load()
        return loaded.interactions(), loaded.item_table()
    rng = np.random.default_rng(0)
    ids = np.arange(60)
    clicks = Interactions.from_csr(csr_array((rng.random((120, 60)) < 0.4) * 1.0), item_ids=ids)
    return clicks, Items.from_frame(pl.DataFrame({"item_id": ids, "genres": [[f"g{n % 5}"] for n in ids]}))


def offline(world: World, same: bool, seeds: Iterable[int]) -> list[DemoResult]:
    """Runs without a server."""
    found = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            found.append(practise_offline(world, Practice(same=same, seed=seed, **SETTINGS), Path(folder)))
        line = "{:+.4f} [{:+.4f}, {:+.4f}], p {:.3g}".format(*figures(found[-1]))
        verdict, truth = found[-1].result.verdict.action, found[-1].truth.estimate
        print(f"{'A/A' if same else 'A/B'} {seed}: {line}: {verdict}; truth {truth:+.4f}", flush=True)
    return found


def figures(found: DemoResult) -> tuple[float, float, float, float]:
    """Estimate, ends of the interval, p."""
    goal = found.result.goal
    assert goal is not None
    assert goal.effect is not None
    return goal.effect.estimate, goal.effect.relative.low, goal.effect.relative.high, goal.effect.p


def rows_of(label: str, found: list[DemoResult]) -> list[dict]:
    """How many runs are as they must be."""
    verdicts = [each.result.verdict.action for each in found]
    least = None if SMOKE else f">= {round(0.9 * len(found))}"
    unit = f"of {len(found)}"
    rows = [
        {"what": f"{label}: truth inside the 95% interval", "measured": sum(each.inside for each in found)},
        {"what": f"{label}: verdict right", "measured": sum(each.right for each in found)},
    ]
    rows = [{**row, "target": least, "unit": unit} for row in rows]
    for verdict in ("ship", "wait", "stop"):
        rows.append({"what": f"{label}: {verdict}", "measured": verdicts.count(verdict), "unit": unit})
    truths = np.array([each.truth.estimate for each in found])
    rows.append({"what": f"{label}: truth, mean", "measured": 100 * float(truths.mean()), "unit": "%"})
    widths = [figures(each)[2] - figures(each)[1] for each in found]
    rows.append(
        {"what": f"{label}: half the interval, mean", "measured": 50 * float(np.mean(widths)), "unit": "%"}
    )
    return rows


def served(films: tuple[Interactions, Items], without: list[DemoResult]) -> list[dict]:
    """Runs on a real server: how long they take, and how far their figures are from those without."""
    rows = []
    for other in without[:SERVED]:
        with tempfile.TemporaryDirectory() as folder:
            found = practise(*films, other.practice, Path(folder))
        seed, facts = other.practice.seed, found.facts
        seconds = f"<= {SECONDS}" if not SMOKE else None
        apart = max(
            abs(a - b) if a != b else 0.0 for a, b in zip(figures(found), figures(other), strict=True)
        )
        rows += [
            {
                "what": f"on a server, seed {seed}: the whole demo",
                "measured": facts["seconds"],
                "unit": "s",
                "target": seconds,
            },
            {"what": f"on a server, seed {seed}: lists", "measured": facts["lists"]},
            {"what": f"on a server, seed {seed}: events", "measured": facts["events"]},
            {
                "what": f"on a server, seed {seed}: figures apart from those without",
                "measured": apart,
                "target": "<= 1e-12",
            },
        ]
    return rows


def main() -> None:
    """Measure all of it."""
    started, seen = time.perf_counter(), films()
    world = World.fitted(*seen, Practice(**SETTINGS))
    pairs = offline(world, False, SEEDS)
    rows = rows_of("A/B", pairs) + served(seen, pairs)
    again = World.fitted(*seen, Practice(same=True, **SETTINGS))
    rows += rows_of("A/A", offline(again, True, SEEDS))
    seconds = time.perf_counter() - started
    report("experiment_demo", rows, runs=RUNS, seconds=seconds, **SETTINGS)


if __name__ == "__main__":
    main()
