"""One cell of a sweep, in a process of its own: python -m isotherm.tuning.cell FOLDER CELL"""

import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from isotherm import progress
from isotherm.data import Interactions
from isotherm.data.splits import strong
from isotherm.errors import IsothermError
from isotherm.evaluation.bootstrap import intervals
from isotherm.evaluation.runner import candidate_sets, ranked_lists
from isotherm.geometry import Look, study
from isotherm.models.vae.masking import Bernoulli
from isotherm.ranking.metrics import hit_rate, ndcg, rank_hits
from isotherm.tuning.sweep import METRICS, Plan, read_plan, write_result

_USERS = 2000  # whose geometry is looked at
_LENGTHS = (100, 20)


def run(folder: Path, cell: str) -> None:
    """Train, rank, look at the geometry, keep model and figures."""
    plan = read_plan(folder)
    clicks = Interactions.open(folder / "clicks")
    split = strong(clicks, plan.holdout, plan.seed, plan.fold_in)
    model, checkpoints = plan.built(cell), folder / "runs" / cell
    started = time.perf_counter()
    model.fit(split.train, run=checkpoints)
    seconds = time.perf_counter() - started
    model.save(folder / "models" / cell)
    row = {"epochs": model.progress_.best_epoch or model.progress_.epoch, "seconds": seconds}
    write_result(folder, cell, row | _ranked(model, split) | _geometry(model, split.train, plan))
    shutil.rmtree(checkpoints, ignore_errors=True)


def _ranked(model: Any, split: Any) -> dict[str, float]:
    """nDCG@100 and Recall@20 (hits / min(20, hidden)) with intervals."""
    chosen = candidate_sets(split)[:1]
    longest = min(_LENGTHS[0], split.train.n_items)
    hits = rank_hits(ranked_lists(model, split, chosen, longest)["all"], chosen[0].targets)
    n_targets = np.diff(chosen[0].targets.indptr)
    values = [ndcg(hits, n_targets, _LENGTHS[0]), hit_rate(hits, n_targets, _LENGTHS[1])]
    found: dict[str, float] = {}
    for name, value in zip(METRICS, intervals(np.stack(values, axis=1)), strict=True):
        found |= {name: value.mean, f"{name}_low": value.low, f"{name}_high": value.high}
    return found


def _geometry(model: Any, clicks: Interactions, plan: Plan) -> dict[str, float | None]:
    """The figures that the trade-offs are drawn of, from a sample of users."""
    look = Look(_USERS, plan.pairs, Bernoulli(keep=plan.probe), masks=4, seed=plan.seed)
    g = study({"": model}, clicks, look=look).models[""]
    random, near = g.influence.kinds["random"], g.influence.kinds["near"]
    far = g.influence.regions.filter(far=True, related=True)["influence"]
    return {
        "kl": g.collapse.kl,
        "active": g.collapse.active,
        "rank": g.collapse.rank,
        "drift": float(g.drift.drift.mean()),
        "spread": float(g.drift.variance.mean() / max(g.drift.spread, 1e-12)),
        "inside": random["inside"].mean,
        "inside_twin": g.influence.kinds["twin"]["inside"].mean,
        "helped": random["helped"].mean,
        "random": random["influence"].mean,
        "near": near["influence"].mean,
        "far_related": None if not len(far) else far[0],
    }


if __name__ == "__main__":
    progress.watch_with("silent")
    try:
        run(Path(sys.argv[1]), sys.argv[2])
    except IsothermError as error:
        sys.exit(str(error))
