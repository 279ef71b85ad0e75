"""One cell of a sweep, in a process of its own: python -m isotherm.tuning.cell FOLDER CELL"""

import sys
import time
from pathlib import Path
from typing import Any

from isotherm import progress
from isotherm.data import Interactions, Split
from isotherm.data.splits import strong
from isotherm.errors import IsothermError
from isotherm.evaluation.bootstrap import Interval
from isotherm.evaluation.candidates import candidate_sets
from isotherm.evaluation.lists import ranked_lists
from isotherm.evaluation.measures import measure_lists
from isotherm.folders import RUN, discard
from isotherm.geometry import StudyOptions, study_models
from isotherm.models.fitting import FitOptions
from isotherm.models.vae.objective.masking import Bernoulli
from isotherm.models.vae.training.run_folder import LOG
from isotherm.tuning.parent_process import end_with_parent
from isotherm.tuning.sweep import METRICS, Plan, read_plan, write_result

_USERS = 2000  # whose geometry is looked at
_MEASURED = {"ndcg": 100, "hr": 20}  # METRICS, as evaluation names them


def run(folder: Path, cell: str) -> None:
    """Train, rank, look at the geometry, keep model and figures."""
    plan = read_plan(folder)
    clicks = Interactions.open(folder / "clicks")
    split = strong(clicks, plan.holdout, plan.seed, plan.fold_in)
    model, checkpoints = plan.built(cell), folder / "runs" / cell
    started = time.perf_counter()
    model.fit(split.train, options=FitOptions(run_dir=checkpoints))
    seconds = time.perf_counter() - started
    model.save(folder / "models" / cell)
    row = {"epochs": model.progress_.best_epoch or model.progress_.epoch, "seconds": seconds}
    write_result(folder, cell, row | _ranked(model, split, plan.seed) | _geometry(model, split.train, plan))
    discard(checkpoints, RUN, others=[LOG])


def _ranked(model: Any, split: Split, seed: int) -> dict[str, float]:
    """nDCG@100 and Recall@20 (hits / min(20, hidden)) with intervals."""
    sets = candidate_sets(split)[:1]
    lists = ranked_lists(model, split, sets, max(_MEASURED.values()), seed)
    metrics = measure_lists(lists, split, sets, sorted(_MEASURED.values()), seed)["all"]
    found: dict[str, float] = {}
    for name, metric in zip(METRICS, _MEASURED, strict=True):
        value = metrics[f"{metric}@{_MEASURED[metric]}"]
        assert isinstance(value, Interval)
        found |= {name: value.mean, f"{name}_low": value.low, f"{name}_high": value.high}
    return found


def _geometry(model: Any, clicks: Interactions, plan: Plan) -> dict[str, float | None]:
    """The figures that the trade-offs are drawn of, from a sample of users."""
    options = StudyOptions(_USERS, plan.pairs, Bernoulli(keep=plan.probe), masks=4, seed=plan.seed)
    g = study_models({"": model}, clicks, options=options).models[""]
    random, near = g.influence.kinds["random"], g.influence.kinds["near"]
    far = g.influence.regions.filter(far=True, related=True)["influence"]
    return {
        "kl": g.collapse.kl,
        "active": g.collapse.active,
        "rank": g.collapse.rank,
        "drift": float(g.drift.drift.mean()),
        "relative_variance": float(g.drift.relative_variance.mean()),
        "inside": random["inside"].mean,
        "inside_copy": g.influence.kinds["copy"]["inside"].mean,
        "helped": random["helped"].mean,
        "random": random["influence"].mean,
        "near": near["influence"].mean,
        "far_related": None if not len(far) else far[0],
    }


if __name__ == "__main__":
    progress.watch_with("silent")
    end_with_parent()
    try:
        run(Path(sys.argv[1]), sys.argv[2])
    except IsothermError as error:
        sys.exit(str(error))
