"""Strong generalization on MovieLens-1M: what masking, anchors and an EASE term give; five seeds, intervals.

600 users are held out for early stopping and 600 for the test; four fifths of their clicks are the history.
With --others: Multi-DAE and RecVAE with and without anchors, beside EASE with its penalties learned.
With --squared-error: a Multi-DAE of one layer, trained on the squared error of what is masked, beside both.
Needs --data: a folder with interactions.parquet. Takes half an hour on two cores, with --others two hours.
What is done is kept by seed and model in results/NAME.done.jsonl, from which a run that was cut off goes on;
the file is deleted when the result is written. Delete it, too, after a change of the models' code.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import RESULTS, report, size

from isotherm import (
    EASE,
    Clean,
    EASETerm,
    FitOptions,
    Interactions,
    ItemAnchors,
    MultDAE,
    MultVAE,
    RecVAE,
    SquaredError,
    Training,
    progress,
)
from isotherm.data import Split
from isotherm.data.splits import given
from isotherm.evaluation.bootstrap import intervals
from isotherm.evaluation.candidates import candidate_sets
from isotherm.evaluation.lists import ranked_lists
from isotherm.evaluation.paired import paired_test
from isotherm.ranking.metrics import capped_recall, ndcg, rank_hits

SEEDS = range(size(5, 1))
HELD_OUT = size(600, 20)
BINS = {"5-10": (5, 10), "11-50": (11, 50), "51-100": (51, 100), "100+": (101, 10**9)}
WEIGHT = 1.0  # λ_A
HIDDEN_WEIGHT = 0.01  #: the same beside the squared error, a far smaller loss
NETWORK = size({}, {"hidden": 16, "latent": 8})
WIDTH = size(600, 8)
MODELS = {
    "ease": lambda seed: EASE(l2=1000.0),
    "clean": lambda seed: MultVAE(mask=Clean(), seed=seed, **NETWORK),
    "masking": lambda seed: MultVAE(seed=seed, **NETWORK),
    "masking + anchors": lambda seed: MultVAE(anchors=ItemAnchors(weight=WEIGHT), seed=seed, **NETWORK),
    "masking + anchors + EASE term": lambda seed: MultVAE(
        anchors=ItemAnchors(weight=WEIGHT), ease_term=EASETerm(), seed=seed
    ),
}
OTHERS = {
    "ease": MODELS["ease"],
    "ease, learned penalties": lambda seed: EASE(l2="auto", seed=seed),
    "recvae": lambda seed: RecVAE(seed=seed, **NETWORK),
    "recvae + anchors": lambda seed: RecVAE(anchors=ItemAnchors(weight=WEIGHT), seed=seed, **NETWORK),
    "multdae": lambda seed: MultDAE(seed=seed, **NETWORK),
    "multdae + anchors": lambda seed: MultDAE(anchors=ItemAnchors(weight=WEIGHT), seed=seed, **NETWORK),
}


def squared_error(seed: int, anchors: float = 0.0) -> MultDAE:
    """One layer, asked for what its mask hides; the loss's settings: by the validation users of seed 0."""
    return MultDAE(
        hidden=0,
        latent=WIDTH,
        activation="gelu",
        reconstruction=SquaredError(),
        anchors=ItemAnchors(weight=anchors),
        training=Training(average=0.99),
        seed=seed,
    )


SQUARED = {
    **{name: OTHERS[name] for name in ("ease", "ease, learned penalties", "multdae")},
    "multdae, squared error": squared_error,
    "multdae, squared error + anchors": lambda seed: squared_error(seed, anchors=HIDDEN_WEIGHT),
}

#: rows of the result: what, the two models whose means are divided, target
GAINS = [
    ("masking / clean input", "masking", "clean", "> 1"),
    ("anchors / masking", "masking + anchors", "masking", ">= 1.03"),
    ("best VAE / EASE", "masking + anchors + EASE term", "ease", ">= 1"),
]
GAINS_OF_OTHERS = [
    ("RecVAE: anchors / none", "recvae + anchors", "recvae", "> 1"),
    ("Multi-DAE: anchors / none", "multdae + anchors", "multdae", "> 1"),
    ("RecVAE + anchors / EASE", "recvae + anchors", "ease", ">= 1"),
    ("RecVAE + anchors / EASE, learned penalties", "recvae + anchors", "ease, learned penalties", ">= 1"),
]
GAINS_OF_SQUARED = [
    ("Multi-DAE: squared error / multinomial", "multdae, squared error", "multdae", "> 1"),
    (
        "Multi-DAE of squared error: anchors / none",
        "multdae, squared error + anchors",
        "multdae, squared error",
        "> 1",
    ),
    (
        "Multi-DAE of squared error / EASE, learned penalties",
        "multdae, squared error",
        "ease, learned penalties",
        ">= 1",
    ),
]


def strong_split(clicks: Interactions, seed: int) -> Split:
    """Test and validation users apart, all others to train on."""
    users = np.random.default_rng([seed, 77]).permutation(clicks.n_users)
    test, valid = np.sort(users[:HELD_OUT]), np.sort(users[HELD_OUT : 2 * HELD_OUT])
    rest = np.sort(users[2 * HELD_OUT :])
    train, asked, watched = (clicks.take_users(rows) for rows in (rest, test, valid))
    return given(train, asked, watched, strong=True, seed=seed)


def measured(model, split: Split) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """nDCG@100, Recall@20 (hits / min(20, hidden)) of each test user, and the user's clicks."""
    sets = candidate_sets(split)[:1]
    hits = rank_hits(ranked_lists(model, split, sets, 100)["all"], sets[0].targets)
    n_targets = np.diff(sets[0].targets.indptr)
    clicks = np.diff(split.histories.matrix.indptr)[sets[0].user_rows] + n_targets
    return {"ndcg@100": ndcg(hits, n_targets, 100), "recall@20": capped_recall(hits, n_targets, 20)}, clicks


def fitted(make, split: Split, seed: int):
    """The model on the split's train, stopped early by its validation users."""
    model = make(seed)
    return model.fit(split.train, options=FitOptions(valid=split.valid).accepted_by(model))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--others", action="store_true", help="Multi-DAE and RecVAE instead (two hours)")
    which.add_argument(
        "--squared-error", action="store_true", help="the squared error instead (half an hour)"
    )
    arguments = parser.parse_args()
    progress.watch_with("silent")
    clicks = Interactions.read(Path(arguments.data) / "interactions.parquet")
    models, gains, name = MODELS, GAINS, "vae_accuracy_ml1m"
    if arguments.others:
        models, gains, name = OTHERS, GAINS_OF_OTHERS, "vae_accuracy_others_ml1m"
    elif arguments.squared_error:
        models, gains, name = SQUARED, GAINS_OF_SQUARED, "vae_accuracy_squared_ml1m"
    done = Done(RESULTS / f"{name}.done.jsonl")
    runs: dict[str, list[dict[str, Any]]] = {model: [] for model in models}
    for seed in SEEDS:
        split = strong_split(clicks, seed)
        for model, make in models.items():
            run = done.get(seed, model, make(seed), partial(one_run, make, split, seed))
            runs[model].append(run)
            print(seed, model, f"{np.mean(run['ndcg@100']):.4f}", f"{run['seconds']:.0f} s", flush=True)
    values = {model: np.concatenate([run["ndcg@100"] for run in each]) for model, each in runs.items()}
    trained = {model: each for model, each in runs.items() if "best_epoch" in each[0]}
    report(
        name,
        [gain(what, values[ours], values[theirs], target) for what, ours, theirs, target in gains],
        held_out=[HELD_OUT, HELD_OUT],
        seeds=list(SEEDS),
        anchors_weight=WEIGHT,
        ease_term_scales=[run["scale"] for each in runs.values() for run in each if "scale" in run],
        best_epochs={model: [run["best_epoch"] for run in each] for model, each in trained.items()},
        cpu_seconds={model: [round(run["cpu"], 1) for run in each] for model, each in runs.items()},
        devices=sorted({run["device"] for each in runs.values() for run in each if "device" in run}),
        learned={model: each[0]["learned"] for model, each in runs.items() if each[0]["learned"]},
        table={model: of_seeds(each) for model, each in runs.items()},
        by_clicks={model: by_clicks(each) for model, each in runs.items()},
    )
    done.path.unlink(missing_ok=True)


class Done:
    """Runs by seed and model, a line each, which outlast a benchmark that is cut off."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.runs: dict[tuple[int, str, str], dict[str, Any]] = {}
        for line in path.read_text().split("\n")[:-1] if path.exists() else []:  # the last one may be cut off
            run = json.loads(line)
            self.runs[run["seed"], run["name"], run["model"]] = run

    def get(self, seed: int, name: str, model: object, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The run that is there, or a new one. A model with other settings is another model."""
        key = (seed, name, repr(model))
        if key not in self.runs:
            self.runs[key] = {"seed": seed, "name": name, "model": repr(model), **make()}
            with self.path.open("a") as file:
                file.write(json.dumps(self.runs[key]) + "\n")
        return self.runs[key]


def one_run(make: Callable[[int], Any], split: Split, seed: int) -> dict[str, Any]:
    """A model fitted and measured: metrics of each test user, the user's clicks, seconds, how it went."""
    started, cpu = time.perf_counter(), time.process_time()
    model = fitted(make, split, seed)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    found, n_clicks = measured(model, split)
    run = {metric: each.tolist() for metric, each in found.items()}
    run |= {"clicks": n_clicks.tolist(), "seconds": seconds, "cpu": cpu, "learned": model.learned_settings()}
    if model.trains_in_steps and torch.cuda.is_available():
        run["device"] = torch.cuda.get_device_name()
    if getattr(model, "ease_term_", None):
        run["scale"] = model.ease_term_.scale
    if model.trains_in_steps:
        run["best_epoch"] = model.progress_.best_epoch
    return run


def of_seeds(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Each metric's mean over users of all seeds with its interval, and the mean of each seed."""
    table = {}
    for metric in ("ndcg@100", "recall@20"):
        each = np.concatenate([run[metric] for run in runs])
        seeds = [round(float(np.mean(run[metric])), 4) for run in runs]
        table[metric] = asdict(intervals(each[:, None], 0)[0]) | {"seeds": seeds}
    return table


def by_clicks(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """nDCG@100 of users by how many clicks they have."""
    values = np.concatenate([run["ndcg@100"] for run in runs])
    lengths = np.concatenate([run["clicks"] for run in runs])
    table = {}
    for label, (low, high) in BINS.items():
        chosen = (lengths >= low) & (lengths <= high)
        mean = float(values[chosen].mean()) if chosen.any() else None
        table[label] = {"users": int(chosen.sum()), "ndcg@100": mean}
    return table


def gain(what: str, ours: np.ndarray, theirs: np.ndarray, target: str) -> dict:
    """Ratio of mean nDCG@100, with a paired interval of the difference over users of all seeds."""
    apart, p = paired_test(ours - theirs)
    return {
        "what": what,
        "measured": float(ours.mean() / theirs.mean()),
        "target": target,
        "difference": asdict(apart),
        "p": p,
    }


if __name__ == "__main__":
    main()
