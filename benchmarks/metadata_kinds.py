"""What each kind of metadata is worth: MovieLens-1M, a random fifth of the films new, kind after kind added.

Genres, years, titles, directors, countries and tags are HetRec 2011's, which people wrote. A language model
that knows which films are famous wrote the descriptions, so they come last, and apart.
Needs --data: a folder with interactions.parquet, items_hetrec.parquet and items.parquet.
"""

import statistics
from typing import Any

import polars as pl
from common import add_means, data_folder, report, size

from isotherm import EASE, ContentKNN, Interactions, Items, KernelRidge, MARec, evaluate
from isotherm.data.splits import SPLITS

SEEDS = range(size(5, 1))
#: by kind of metadata, which comes to those before
KINDS = size(
    {
        "genres, year": ["genres", "year"],
        "+ title": ["title"],
        "+ directors, countries": ["directors", "countries"],
        "+ tags": ["tags"],
        "+ written description": ["description"],
    },
    {"tags": ["tags"]},
)
MEASURES = (("cold", "hr@10"), ("all", "hr@10"), ("cold", "ndcg@10"), ("all", "ndcg@10"))


def main() -> None:
    folder = data_folder(__doc__)
    clicks = Interactions.read(folder / "interactions.parquet")
    written = pl.read_parquet(folder / "items.parquet", columns=["item_id", "description"])
    table = pl.read_parquet(folder / "items_hetrec.parquet").join(written, on="item_id", how="left")
    values: dict[str, Any] = {}
    fields: list[str] = []
    for kind, added in KINDS.items():
        fields += added
        values[kind] = measured(clicks, Items.from_frame(table.select("item_id", *fields)))
        for model, row in values[kind].items():
            shown = "  ".join(f"{key} {statistics.mean(each):.4f}" for key, each in row.items())
            print(f"{kind:24} {model:12} {shown}", flush=True)
    report("metadata_kinds", rows(values), seeds=list(SEEDS), values=values)


def measured(clicks: Interactions, items: Items) -> dict[str, dict[str, list[float]]]:
    """model -> "cold hr@10", … -> values by seed."""
    found: dict[str, dict[str, list[float]]] = {}
    for seed in SEEDS:
        models = {
            "ease": EASE(),
            "content-knn": ContentKNN(),
            "marec": MARec(seed=seed),
            "kernel-ridge": KernelRidge(seed=seed),
        }
        result = evaluate(SPLITS["mixed"](clicks, 0.2, seed), models.items(), items, [10])
        add_means(found, result, MEASURES)
    return found


def rows(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Among new films, what each kind adds to kernel ridge, and both models over content-knn."""
    kinds = list(values)
    cold = {
        kind: {model: statistics.mean(row["cold hr@10"]) for model, row in values[kind].items()}
        for kind in kinds
    }
    found: list[dict[str, Any]] = [
        {
            "what": f"{kind}: {model}, cold hr@10, over content-knn",
            "measured": cold[kind][model] / cold[kind]["content-knn"],
            "target": ">= 1",
        }
        for kind in kinds
        for model in ("marec", "kernel-ridge")
    ]
    return found + [
        {"what": f"kernel-ridge, cold hr@10: {kind}", "measured": cold[kind]["kernel-ridge"]}
        for kind in kinds
    ]


if __name__ == "__main__":
    main()
