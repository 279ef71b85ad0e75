"""Does the story of PIA hold? The geometry of Multi-VAEs, clean, masked and with anchors, on two data sets.

Three seeds a model; the same users, random pairs and masks for all; and influence over the epochs.
Needs --data (a folder with interactions.parquet of MovieLens-1M); MovieLens-100K is fetched. Takes a quarter
of an hour on two cores.
"""

import argparse
import statistics
from pathlib import Path

from common import SMOKE, report, size

from isotherm import Clean, Interactions, ItemAnchors, MultVAE, Training, progress
from isotherm.data.datasets import dataset
from isotherm.geometry import Geometry, StudyOptions, study_models
from isotherm.models.vae.objective.masking import Bernoulli

SEEDS = range(size(3, 1))
EPOCHS = size((1, 2, 5, 10, 20, 40), (1,))
PAIRS = size(6000, 60)
NETWORK = size({}, {"hidden": 16, "latent": 8})
TRAINING = Training(epochs=size(200, 2), patience=10, valid_share=0.1)
MODELS = {
    "clean": lambda **more: MultVAE(mask=Clean(), **NETWORK, **more),
    "masking": lambda **more: MultVAE(**NETWORK, **more),
    "masking + anchors": lambda **more: MultVAE(anchors=ItemAnchors(weight=1.0), **NETWORK, **more),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    options = parser.parse_args()
    progress.watch_with("silent")
    sets = {"ml-1m": Interactions.read(Path(options.data) / "interactions.parquet")}
    if not SMOKE:
        sets["ml-100k"] = dataset("ml-100k").load().interactions()
    facts: dict = {}
    for name, clicks in sets.items():
        facts[name] = {model: averaged(make, clicks) for model, make in MODELS.items()}
        for model, row in facts[name].items():
            print(f"{name} {model:18}", *(f"{key} {value:.4g}" for key, value in row.items()), flush=True)
    rows = [row for name in sets for row in compared(name, facts[name])]
    facts["over epochs, ml-1m"] = over_epochs(sets["ml-1m"])
    report("collaboration", rows, seeds=len(SEEDS), pairs=PAIRS, **facts)


def compared(name: str, found: dict[str, dict[str, float]]) -> list[dict]:
    """The story in a few figures."""
    anchors, plain = found["masking + anchors"], found["masking"]
    return [
        {
            "what": f"{name}: pairs inside the radius whose loss fell",
            "measured": min(each["inside_held"] for each in found.values()),
            "target": ">= 1",
        },
        {
            "what": f"{name}: influence of the nearest users, with anchors / without",
            "measured": anchors["influence_near"] / plain["influence_near"],
        },
        {
            "what": f"{name}: influence of far related users, with anchors - without",
            "measured": anchors["far_related"] - plain["far_related"],
        },
        {
            "what": f"{name}: drift, masking / clean training",
            "measured": plain["drift"] / found["clean"]["drift"],
        },
        {"what": f"{name}: drift, with anchors / without", "measured": anchors["drift"] / plain["drift"]},
    ]


def looked(model: MultVAE, clicks: Interactions, seed: int, pairs: int = PAIRS) -> Geometry:
    """Its geometry, under masks that keep half of the clicks."""
    return study_models(
        {"": model}, clicks, options=StudyOptions(pairs=pairs, mask=Bernoulli(keep=0.5), seed=seed)
    ).models[""]


def averaged(make, clicks: Interactions) -> dict[str, float]:
    """Each figure's mean over the seeds."""
    each = []
    for seed in SEEDS:
        model = make(seed=seed, training=TRAINING).fit(clicks)
        each.append({"valid_ndcg": model.progress_.best} | figures(looked(model, clicks, seed)))
    return {name: round(statistics.mean(one[name] for one in each), 5) for name in each[0]}


def figures(g: Geometry) -> dict[str, float]:
    """What the story is told by."""
    kinds, tests = g.influence.kinds, g.influence.tests
    regions = {
        (row["far"], row["related"]): row["influence"] for row in g.influence.regions.iter_rows(named=True)
    }
    rows = g.influence.pairs
    return {
        "inside_random": kinds["random"]["inside"].mean,
        "inside_near": kinds["near"]["inside"].mean,
        "inside_copy": kinds["copy"]["inside"].mean,
        "inside_held": tests["inside"].helped if tests["inside"].helped is not None else 1.0,
        "remainder_ratio": g.influence.first_order.remainder_ratio,
        "helped_random": kinds["random"]["helped"].mean,
        "helped_near": kinds["near"]["helped"].mean,
        "influence_random": kinds["random"]["influence"].mean,
        "influence_near": kinds["near"]["influence"].mean,
        "near_related": regions[False, True],
        "near_unrelated": regions[False, False],
        "far_related": regions[True, True],
        "far_unrelated": regions[True, False],
        "correlation": g.influence.correlation.mean,
        "near_distance": rows.filter(kind="near")["w2"].median() / rows.filter(kind="random")["w2"].median(),
        "drift": float(g.drift.drift.mean()),
        "drift_from_clean": float(g.drift.from_clean.mean()),
        "variance": float(g.drift.mask_variance.mean()),
        "relative_variance": float(g.drift.mask_variance.mean() / g.drift.user_variance),
        "to_fitted": float(g.drift.to_fitted_centroid.mean()),
        "relative_to_fitted": float(g.drift.to_fitted_centroid.mean() / g.drift.user_variance**0.5),
        "curvature": g.anchors.largest_eigenvalue,
        "tau_of_one": g.anchors.tau(1.0),
        "kl": g.collapse.kl,
        "active": g.collapse.active,
        "rank": g.collapse.rank,
        "same_taste": g.map.same_taste,
        "taste_by_chance": g.map.by_chance,
    }


def over_epochs(clicks: Interactions) -> list[dict]:
    """Influence before training and after some epochs."""
    rows = []
    for name in ("masking", "masking + anchors"):
        for epochs in EPOCHS:
            training = Training(epochs=epochs, valid_share=0)
            g = looked(MODELS[name](seed=0, training=training).fit(clicks), clicks, 0, 2000)
            if epochs == EPOCHS[0]:
                rows.append({"model": name, "epochs": 0} | shares(g.untrained))
            rows.append({"model": name, "epochs": epochs} | shares(g.influence))
            print(rows[-1], flush=True)
    return rows


def shares(found) -> dict[str, float]:
    """Influence, help and being inside, random and near."""
    return {
        f"{what}_{kind}": round(found.kinds[kind][what].mean, 5)
        for kind in ("random", "near")
        for what in ("influence", "helped", "inside")
    }


if __name__ == "__main__":
    main()
