"""A random fifth of the items brand-new, on the logs of in_time.py and on MovieLens-1M, which has no times.

MovieLens-1M's metadata is HetRec 2011's, which people wrote.

Needs --data: a folder with ml-1m and ml-latest-small, and --graph: one with ml-100k.inter and ml-100k.item.
"""

import argparse
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
from common import add_means, report, size
from in_time import MODELS, SEEDED, data_sets

from isotherm import Interactions, Items, evaluate, progress
from isotherm.data.splits import SPLITS

MEASURES = tuple(product(("all", "cold", "warm"), ("ndcg@10", "hr@10")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--graph", required=True)
    parser.add_argument("--seeds", type=int, default=size(5, 1))
    parser.add_argument("--only", nargs="+", default=["ml-100k", "ml-latest-small", "ml-1m"])
    options = parser.parse_args()
    progress.watch_with("silent")
    values: dict[str, Any] = {}
    logs = {
        name: (log.drop("timestamp"), table)
        for name, log, table in data_sets(Path(options.data), Path(options.graph))
    }
    folder = Path(options.data) / "ml-1m"
    clicks = pl.read_parquet(folder / "interactions.parquet", columns=["user_id", "item_id"])
    logs["ml-1m"] = clicks, pl.read_parquet(folder / "items_hetrec.parquet")
    for name in options.only:
        values[name] = measured(name, *logs[name], options.seeds)
    report("random_split", rows(values), seeds=options.seeds, values=values)


def measured(name: str, log: pl.DataFrame, table: pl.DataFrame, seeds: int) -> dict[str, Any]:
    """model -> "all ndcg@10", … -> values by seed."""
    clicks, items = Interactions.from_frame(log), Items.from_frame(table)
    found: dict[str, Any] = {}
    for seed in range(seeds):
        split = SPLITS["mixed"](clicks, 0.2, seed)
        result = evaluate(split, ((model, make(seed)) for model, make in MODELS.items()), items, [10])
        add_means(found, result, MEASURES)
    for model, row in found.items():
        shown = "  ".join(f"{key} {sum(by_seed) / len(by_seed):.4f}" for key, by_seed in row.items())
        print(f"{name} {model:12} {shown}", flush=True)
    return found


def rows(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Of both models of new items, beside EASE."""
    return [
        {
            "what": f"{name}: {model}, ndcg@10 of all, over ease",
            "measured": sum(row[model]["all ndcg@10"]) / sum(row["ease"]["all ndcg@10"]),
            "target": ">= 1",
        }
        for name, row in values.items()
        for model in SEEDED
    ]


if __name__ == "__main__":
    main()
