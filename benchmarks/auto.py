"""What EASE, iALS and item-knn learn on hidden clicks, beside the best of a grid searched on the test users.

For EASE also what it costs, in fits.

Needs --data: a folder with ml-1m, ml-latest-small and gowalla, and --graph: one with ml-100k.inter. A fifth
of the users is held out, four fifths of their clicks are the history. --grid all also searches denoising,
user weights and the relaxed diagonal: 18 times as long.
"""

import argparse
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from common import report, size

from isotherm import EASE, IALS, Interactions, ItemKNN, evaluate, progress
from isotherm.data.splits import strong

METRICS = ("ndcg@10", "ndcg@100")
L2 = size(2.0 ** np.arange(4, 12.5, 0.5), (10.0, 100.0))
BESIDE_L2 = {"denoising": (0.0, 0.5, 1.0), "user_power": (0.0, 0.5), "relaxation": (0.0, 0.15, 0.3)}
PLAIN = dict.fromkeys(BESIDE_L2, 0.0)
#: of the other models: settings that are learned, and values of each that the grid holds
OTHERS: dict[str, tuple[type[Any], dict[str, tuple[float, ...]]]] = {
    "ials": (
        IALS,
        size(
            {"l2": (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08), "unobserved_weight": (0.02, 0.05, 0.1, 0.2, 0.4)},
            {"l2": (0.01, 0.1), "unobserved_weight": (0.1,)},
        ),
    ),
    "item-knn": (
        ItemKNN,
        size(
            {"neighbours": (12, 25, 50, 100, 200, 400, 800), "shrinkage": (0, 5, 10, 20, 50, 100, 200, 500)},
            {"neighbours": (10,), "shrinkage": (0, 20)},
        ),
    ),
}
COMPARED = {"auto": EASE(l2="auto"), "auto, l2 alone": EASE(l2="auto", **PLAIN), "500": EASE(l2=500.0)}
TOPICS = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--graph", required=True)
    parser.add_argument("--seeds", type=int, default=size(3, 1))
    parser.add_argument("--grid", choices=["l2", "all"], default="l2")
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--models", nargs="+", default=["ease", *OTHERS])
    options = parser.parse_args()
    progress.watch_with("silent")
    rows: dict[str, list[dict[str, Any]]] = {model: [] for model in options.models}
    for name, log in logs(Path(options.data), Path(options.graph)):
        if options.only is None or name in options.only:
            clicks = Interactions.from_frame(log)
            for model, of_model in rows.items():
                if model == "ease":
                    of_model += measured(name, clicks, options.seeds, options.grid == "all")
                else:
                    of_model += measured_other(name, model, clicks, options.seeds)
    for model, of_model in rows.items():
        name = "auto" if model == "ease" else f"auto_{model.replace('-', '_')}"
        report(name, of_model, seeds=options.seeds, grid=options.grid)


def logs(data: Path, graph: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    """(name, clicks) one after the other."""
    columns = ["user_id", "item_id"]
    yield "ml-1m", pl.read_parquet(data / "ml-1m" / "interactions.parquet", columns=columns)
    ml_100k = pl.read_csv(graph / "ml-100k.inter", separator="\t")
    yield "ml-100k", ml_100k.select(pl.nth(0).alias("user_id"), pl.nth(1).alias("item_id"))
    yield "ml-latest-small", pl.read_parquet(data / "ml-latest-small" / "ratings.parquet", columns=columns)
    folder = data / "gowalla"
    checked_in = pl.concat([pl.read_parquet(folder / f"{part}.parquet") for part in ("train", "test")])
    yield "gowalla", thinned(checked_in.select(columns).unique(maintain_order=True))
    yield "sparse", sparse_log(size(5_600, 200), size(2_500, 60))


def thinned(log: pl.DataFrame) -> pl.DataFrame:
    """A quarter of the items with 25 clicks and more, and the users with three clicks on them."""
    items = log.group_by("item_id").len().filter(pl.col("len") >= size(25, 2)).sort("item_id")["item_id"]
    some = items.filter(pl.Series(np.random.default_rng(0).random(len(items)) < size(0.25, 1.0)))
    log = log.filter(pl.col("item_id").is_in(some.to_list()))
    return log.filter(pl.len().over("user_id") >= 3)


def sparse_log(n_users: int, n_items: int) -> pl.DataFrame:
    """Under 15 clicks an item: log-normal activity, items by a power law, users who like a few topics."""
    rng = np.random.default_rng(0)
    popularity = 1 / np.arange(20, n_items + 20) ** 0.7
    rng.shuffle(popularity)
    topics = rng.integers(0, TOPICS, n_items)
    users, items = [], []
    for user, activity in enumerate(rng.lognormal(0, 0.8, n_users)):
        liked = rng.dirichlet(np.full(TOPICS, 0.02))[topics] * popularity
        chances = 0.7 * liked / max(liked.sum(), 1e-12) + 0.3 * popularity / popularity.sum()
        length = int(np.clip(5.4 * activity, 2, n_items // 4))
        users += [user] * length
        items += rng.choice(n_items, length, replace=False, p=chances / chances.sum()).tolist()
    return pl.DataFrame({"user_id": users, "item_id": items})


def grid(everything: bool) -> dict[str, EASE]:
    """The models that are searched, by what they are."""
    beside = itertools.product(*BESIDE_L2.values()) if everything else [tuple(PLAIN.values())]
    settings = [dict(zip(BESIDE_L2, values, strict=True)) for values in beside]
    return {
        f"{number} l2={l2:g}": EASE(l2=float(l2), **setting)
        for number, setting in enumerate(settings)
        for l2 in L2
    }


def measured(name: str, clicks: Interactions, seeds: int, everything: bool) -> list[dict[str, Any]]:
    """Rows of one log."""
    values: dict[str, list[list[float]]] = {}
    costs = []
    for seed in range(seeds):
        split = strong(clicks, seed=seed)
        models = {**COMPARED, **grid(everything)}
        result = evaluate(split, models, ks=[10, 100])
        for model, found in result.models.items():
            per_user = found.per_user["all"]
            values.setdefault(model, []).append([float(per_user[metric].mean()) for metric in METRICS])
        costs.append(seconds(EASE(l2="auto"), split.train) / seconds(EASE(l2=500.0), split.train) - 1)
    cost = {"what": f"{name}: cost of auto", "measured": float(np.median(costs)), "unit": "fits"}
    means = {model: np.mean(found, axis=0) for model, found in values.items()}
    return [{**cost, "target": "<= 3"}, *ratios(name, means, everything)]


def measured_other(name: str, model: str, clicks: Interactions, seeds: int) -> list[dict[str, Any]]:
    """Rows of one log and another model: over the best of its grid, by the mean over the splits."""
    of_model, values = OTHERS[model]
    settings = [dict(zip(values, each, strict=True)) for each in itertools.product(*values.values())]
    models = {"auto": of_model()} | {str(each): of_model(**each) for each in settings}
    found: dict[str, list[list[float]]] = {}
    for seed in range(seeds):
        result = evaluate(strong(clicks, seed=seed), models, ks=[10, 100])
        for which, measured in result.models.items():
            found.setdefault(which, []).append([measured.mean("all", metric) for metric in METRICS])
    means = {which: np.mean(by_seed, axis=0) for which, by_seed in found.items()}
    learned = means.pop("auto")
    best = np.max(list(means.values()), axis=0)
    what = [f"{name}: {metric} of {model} auto / best of its grid" for metric in METRICS]
    return [
        {"what": each, "measured": float(ratio), "target": ">= 0.995"}
        for each, ratio in zip(what, learned / best, strict=True)
    ]


def ratios(name: str, means: dict[str, Any], everything: bool) -> Iterator[dict[str, Any]]:
    """Rows of accuracy: over the best of the grid, by the mean over the splits."""
    plain = np.max([mean for model, mean in means.items() if model.startswith("0 ")], axis=0)
    best = np.max([mean for model, mean in means.items() if " l2=" in model], axis=0)
    for column, metric in enumerate(METRICS):
        for model in COMPARED:
            ratio, target = float(means[model][column] / plain[column]), None
            if model == "auto":
                target = ">= 0.995"
            yield {"what": f"{name}: {metric} of {model} / best l2", "measured": ratio, "target": target}
        if everything:
            ratio = float(means["auto"][column] / best[column])
            what = f"{name}: {metric} of auto / best of all"
            yield {"what": what, "measured": ratio, "target": ">= 0.995"}


def seconds(model: EASE, clicks: Interactions) -> float:
    """CPU time of a fit."""
    started = time.process_time()
    model.fit(clicks)
    return time.process_time() - started


if __name__ == "__main__":
    main()
