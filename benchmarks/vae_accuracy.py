"""Strong generalization on MovieLens-1M: what masking, anchors and an EASE term give; five seeds, intervals.

600 users are held out for early stopping and 600 for the test; four fifths of their clicks are the history.
Needs --data: a folder with interactions.parquet. Takes half an hour on two cores.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np
from common import report, size

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
NETWORK = size({}, {"hidden": 16, "latent": 8})
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
    "multdae": lambda seed: MultDAE(seed=seed, **NETWORK),
    "multdae + anchors": lambda seed: MultDAE(anchors=ItemAnchors(weight=WEIGHT), seed=seed, **NETWORK),
    "recvae": lambda seed: RecVAE(seed=seed, **NETWORK),
    "recvae + anchors": lambda seed: RecVAE(anchors=ItemAnchors(weight=WEIGHT), seed=seed, **NETWORK),
}


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
    parser.add_argument("--others", action="store_true", help="Multi-DAE and RecVAE, too (an hour more)")
    arguments = parser.parse_args()
    progress.watch_with("silent")
    clicks = Interactions.read(Path(arguments.data) / "interactions.parquet")
    models = MODELS | (OTHERS if arguments.others else {})
    values = {name: {"ndcg@100": [], "recall@20": []} for name in models}
    lengths, scales, epochs = [], [], {}
    for seed in SEEDS:
        split = strong_split(clicks, seed)
        for name, make in models.items():
            model = fitted(make, split, seed)
            found, n_clicks = measured(model, split)
            for metric, each in found.items():
                values[name][metric].append(each)
            if getattr(model, "ease_term_", None):
                scales.append(model.ease_term_.scale)
            if model.trains_in_steps:
                epochs.setdefault(name, []).append(model.progress_.best_epoch)
            print(seed, name, f"{found['ndcg@100'].mean():.4f}", flush=True)
        lengths.append(n_clicks)
    all_lengths = np.concatenate(lengths)
    table, by_clicks = {}, {}
    for name, metrics in values.items():
        users = {metric: np.concatenate(each) for metric, each in metrics.items()}
        table[name] = {
            metric: asdict(intervals(each[:, None], 0)[0])
            | {"seeds": [round(float(seed.mean()), 4) for seed in metrics[metric]]}
            for metric, each in users.items()
        }
        by_clicks[name] = {
            label: {
                "users": int(chosen.sum()),
                "ndcg@100": float(users["ndcg@100"][chosen].mean()) if chosen.any() else None,
            }
            for label, (low, high) in BINS.items()
            for chosen in [(all_lengths >= low) & (all_lengths <= high)]
        }
    ours = {name: np.concatenate(metrics["ndcg@100"]) for name, metrics in values.items()}
    means = {name: float(each.mean()) for name, each in ours.items()}
    best = max((name for name in means if name != "ease"), key=means.get)
    rows = [
        gain("masking / clean input", ours["masking"], ours["clean"], "> 1"),
        gain("anchors / masking", ours["masking + anchors"], ours["masking"], ">= 1.03"),
        gain(f"best VAE ({best}) / EASE", ours[best], ours["ease"], ">= 1"),
    ]
    report(
        "vae_accuracy_ml1m",
        rows,
        held_out=[HELD_OUT, HELD_OUT],
        seeds=list(SEEDS),
        anchors_weight=WEIGHT,
        ease_term_scales=scales,
        best_epochs=epochs,
        table=table,
        by_clicks=by_clicks,
    )


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
