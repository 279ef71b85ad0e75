"""One cell of a sweep, in a process of its own: python -m isotherm.tuning.cell FOLDER CELL"""

import sys
import time
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
from isotherm.geometry.pairs import COPY, NEAR, RANDOM
from isotherm.models.fit_inputs import FitOptions
from isotherm.models.vae.objective.masking import Bernoulli
from isotherm.models.vae.training.run_folder import LOG
from isotherm.tuning.folder import METRICS, SweepFolder
from isotherm.tuning.parent_process import end_with_parent
from isotherm.tuning.plan import SweepOptions

_USERS = 2000  # whose geometry is looked at
_MASKS = 4
_MEASURED = {"ndcg": 100, "hr": 20}  # METRICS, as evaluation names them


def run_cell(folder: SweepFolder, cell: str) -> None:
    """Train, rank, measure the geometry, keep model and figures."""
    plan = folder.read_plan()
    options, model = plan.options, plan.build(cell)
    split = strong(Interactions.open(folder.clicks), options.holdout, options.seed, options.fold_in)
    started = time.perf_counter()
    model.fit(split.train, options=FitOptions(run_dir=folder.run(cell)))
    seconds = time.perf_counter() - started
    model.save(folder.model(cell))
    row = {"epochs": model.progress_.best_epoch or model.progress_.epoch, "seconds": seconds}
    row |= _ranked(model, split, options.seed) | _geometry(model, split.train, options)
    folder.write_result(cell, row)
    discard(folder.run(cell), RUN, others=[LOG])


def _ranked(model: Any, split: Split, seed: int) -> dict[str, float]:
    """nDCG@100 and Recall@20 (hits / min(20, hidden)) with intervals."""
    sets = candidate_sets(split)[:1]
    lists = ranked_lists(model, split, sets, max(_MEASURED.values()), seed)
    metrics = measure_lists(lists, split, sets, sorted(_MEASURED.values()), seed)["all"]
    figures: dict[str, float] = {}
    for name, metric in zip(METRICS, _MEASURED, strict=True):
        value = metrics[f"{metric}@{_MEASURED[metric]}"]
        assert isinstance(value, Interval)
        figures |= {name: value.mean, f"{name}_low": value.low, f"{name}_high": value.high}
    return figures


def _geometry(model: Any, clicks: Interactions, options: SweepOptions) -> dict[str, float | None]:
    """The figures that the trade-offs are drawn of, from a sample of users."""
    study = study_models(
        {"": model},
        clicks,
        options=StudyOptions(
            users=_USERS,
            pairs=options.pairs,
            mask=Bernoulli(keep=options.probe),
            masks=_MASKS,
            seed=options.seed,
        ),
    )
    g = study.models[""]
    random, near, copies = (g.influence.kinds[kind] for kind in (RANDOM, NEAR, COPY))
    far = g.influence.regions.filter(far=True, related=True)["influence"]
    return {
        "kl": g.collapse.kl,
        "active": g.collapse.active,
        "rank": g.collapse.rank,
        "drift": float(g.drift.drift.mean()),
        "relative_variance": float(g.drift.relative_variance.mean()),
        "inside": random["inside"].mean,
        "inside_copy": copies["inside"].mean,
        "helped": random["helped"].mean,
        "random": random["influence"].mean,
        "near": near["influence"].mean,
        "far_related": None if not len(far) else far[0],
    }


if __name__ == "__main__":
    progress.watch_with("silent")
    end_with_parent()
    try:
        run_cell(SweepFolder(sys.argv[1]), sys.argv[2])
    except IsothermError as error:
        sys.exit(str(error))
