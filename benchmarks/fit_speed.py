"""Every model's fit, and lists for everybody, beside irspack's and implicit's of the same kind, in one run.

MovieLens-1M, with the genres, years, titles, directors, countries and tags of HetRec 2011 where a model reads
metadata. Settings are given, to ours as to the peers' (auto.py has the cost of learning them); of EASE, MARec
and kernel ridge there are also the fits with all defaults. iALS has 64 factors and 16 rounds. Peers without a
model of the kind stand where they come nearest: features in irspack's iALS beside MARec and kernel ridge.
Needs --data: a folder with interactions.parquet and items_hetrec.parquet.  --implicit: the Python of an
environment that has implicit, whose rows are left out otherwise.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import report, size
from ials_speed import implicit_jobs
from irspack.recommenders import CosineKNNRecommender, DenseSLIMRecommender, IALSRecommender, SLIMRecommender
from irspack.utils.id_mapping import IDMapper
from scipy.sparse import csr_array, csr_matrix

from isotherm import EASE, IALS, SLIM, ContentKNN, Interactions, ItemKNN, Items, KernelRidge, MARec, progress
from isotherm.features.feature_stack import all_features
from isotherm.threads import thread_count

L2 = 500.0
FACTORS, ROUNDS, K, REPEATS = size(64, 4), size(16, 2), 20, size(3, 1)
#: model -> the peers' models that it stands beside
PEERS = {
    "ease": ["irspack DenseSLIM"],
    "slim": ["irspack SLIM"],
    "ials": ["irspack iALS", "implicit", "implicit, folding in"],
    "item-knn": ["irspack cosine"],
    "content-knn": [],
    "marec": ["ease", "irspack iALS with features"],
    "kernel-ridge": ["ease", "irspack iALS with features"],
    "marec by default": ["ease by default"],
    "kernel-ridge by default": ["ease by default"],
}
MOST = {"marec": 5, "kernel-ridge": 6}  # fits of EASE
#: why a peer's job is the shorter one
REASONS = {
    "fit: irspack iALS with features": "another model: 64 factors an item, from a regression on its features",
    "recommend: irspack iALS with features": "another model: 64 factors an item, not a weight for each other",
    "recommend: irspack iALS": "it keeps the factors of users, which ours folds in from the clicks each time",
    "recommend: implicit": "it keeps the factors of users, which ours folds in from the clicks each time",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--implicit")
    options = parser.parse_args()
    progress.watch_with("silent")
    folder = Path(options.data)
    clicks = Interactions.read(folder / "interactions.parquet")
    items = Items.read(folder / "items_hetrec.parquet")
    fits = ours(clicks, items) | theirs(clicks, items)
    lists = {name: recommending(fit(), clicks) for name, fit in fits.items()}
    with implicit_jobs(options.implicit, csr_array(clicks.matrix.astype(np.float32)), ROUNDS) as implicit:
        asked = {name: (lambda job=job: job()[0]) for name, job in implicit.items()}
        seconds = turns(
            {f"fit: {name}": timed(fit) for name, fit in fits.items()}
            | {f"recommend: {name}": timed(job) for name, job in lists.items()}
            | asked
        )
    left_out = None if options.implicit else "implicit: no --implicit"
    report("fit_speed", rows(seconds), seconds=seconds, shape=list(clicks.matrix.shape), left_out=left_out)


def ours(clicks: Interactions, items: Items) -> dict[str, Callable[[], Any]]:
    """Fits of our models."""
    near = {"neighbours": 100, "shrinkage": 20.0}
    models: dict[str, Callable[[], Any]] = {
        "ease": ease,
        "slim": lambda: SLIM(l2=L2),
        "item-knn": lambda: ItemKNN(**near),
        "content-knn": lambda: ContentKNN(**near),
        "marec": lambda: MARec(backbone=ease()),
        "kernel-ridge": lambda: KernelRidge(backbone=ease()),
        "ials": lambda: IALS(factors=FACTORS, iterations=ROUNDS, l2=0.01, unobserved_weight=0.1),
        "ease by default": EASE,
        "marec by default": MARec,
        "kernel-ridge by default": KernelRidge,
    }
    return {name: (lambda make=make: make().fit(clicks, items)) for name, make in models.items()}


def ease() -> EASE:
    """With the penalty of irspack's."""
    return EASE(l2=L2)


def theirs(clicks: Interactions, items: Items) -> dict[str, Callable[[], Any]]:
    """Fits of irspack's."""
    matrix = csr_matrix(clicks.matrix, dtype=np.float64)
    features = csr_matrix(all_features(items.of(clicks.items)))
    settings = {"n_components": FACTORS, "alpha0": 0.1, "reg": 0.01, "train_epochs": ROUNDS}
    return {
        "irspack DenseSLIM": lambda: DenseSLIMRecommender(matrix, reg=L2).learn(),
        "irspack SLIM": lambda: SLIMRecommender(matrix).learn(),
        "irspack cosine": lambda: CosineKNNRecommender(matrix, top_k=100).learn(),
        "irspack iALS": lambda: IALSRecommender(matrix, **settings).learn(),
        "irspack iALS with features": lambda: IALSRecommender(
            matrix, item_features=features, lambda_item_feature=1.0, **settings
        ).learn(),
    }


def recommending(model: Any, clicks: Interactions) -> Callable[[], Any]:
    """Lists of K for all users, without what they clicked."""
    if hasattr(model, "recommend"):
        return lambda: model.recommend(k=K)
    users = list(range(clicks.matrix.shape[0]))
    mapper = IDMapper(users, list(range(clicks.matrix.shape[1])))
    return lambda: mapper.recommend_for_known_user_batch(model, users, cutoff=K, n_threads=thread_count())


def timed(job: Callable[[], Any]) -> Callable[[], float]:
    """The job, giving its seconds."""

    def run() -> float:
        started = time.perf_counter()
        job()
        return time.perf_counter() - started

    return run


def turns(jobs: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Median seconds of each; taking turns, noise hits all jobs alike."""
    rounds = [{name: job() for name, job in jobs.items()} for _ in range(REPEATS)]
    return {name: statistics.median(seconds[name] for seconds in rounds) for name in jobs}


def rows(seconds: dict[str, float]) -> list[dict[str, Any]]:
    """Each peer's seconds over ours; our models of new items in fits of EASE."""
    found: list[dict[str, Any]] = []
    for model, peers in PEERS.items():
        for job in ("fit", "recommend"):
            for peer in peers:
                theirs, of_ease = f"{job}: {peer}", peer.startswith("ease")
                if theirs not in seconds or (of_ease and job == "recommend"):
                    continue
                ratio = seconds[theirs] / seconds[f"{job}: {model}"]
                if of_ease:
                    most = MOST[model.removesuffix(" by default")]
                    row = {"what": f"fit: {model} / {peer}", "measured": 1 / ratio, "target": f"<= {most}"}
                else:
                    row = {"what": f"{theirs} / {model}", "measured": ratio, "target": ">= 1"}
                found.append(row | ({"why": REASONS[theirs]} if theirs in REASONS else {}))
    return found


if __name__ == "__main__":
    main()
