"""New items as they come in life: trained before a cut in time, judged on what came after it, beside EASE.

Users active after the cut are shown lists by the first 70% of their clicks in the order of time; to find are
the others, as far as they came after the cut. Items of the table without a click before it are new.

Needs --data: a folder with ml-latest-small (ratings.parquet, items.parquet), and --graph: a folder with
ml-100k.inter (with timestamps) and ml-100k.item (title, year, genres).
"""

import argparse
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from common import report, size
from scipy.sparse import csr_array

from isotherm import EASE, ContentKNN, Interactions, Items, KernelRidge, MARec, progress
from isotherm.ranking.metrics import ndcg, rank_hits
from isotherm.ranking.topk import hide

CUTS = size((0.7, 0.8, 0.9), (0.8,))
HISTORY = 0.7
K = 10
#: by seed
MODELS: dict[str, Callable[[int], Any]] = {
    "ease": lambda seed: EASE(),
    "content-knn": lambda seed: ContentKNN(),
    "marec": lambda seed: MARec(seed=seed),
    "kernel-ridge": lambda seed: KernelRidge(seed=seed),
}
SEEDED = ("marec", "kernel-ridge")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--graph", required=True)
    parser.add_argument("--cuts", nargs="+", type=float, default=list(CUTS))
    parser.add_argument("--seeds", type=int, default=size(3, 1), help="of marec and kernel-ridge")
    parser.add_argument("--only", nargs="+", default=["ml-100k", "ml-latest-small"])
    options = parser.parse_args()
    progress.watch_with("silent")
    values: dict[str, Any] = {}
    for name, log, table in data_sets(Path(options.data), Path(options.graph)):
        if name not in options.only:
            continue
        for cut in options.cuts:
            values[f"{name} {cut}"] = measured(name, log, table, cut, options.seeds)
    report("in_time", rows(values), cuts=list(CUTS), values=values)


def rows(values: dict[str, Any]) -> list[dict[str, Any]]:
    """What must hold, by model: every cut, then the means."""
    found: list[dict[str, Any]] = []
    for model in ("marec", "kernel-ridge"):
        ratios = {key: row[model]["all"] / row["ease"]["all"] for key, row in values.items()}
        found += [
            {"what": f"{key}: {model}, ndcg@10 of all, over ease", "measured": ratio, "target": ">= 0.995"}
            for key, ratio in ratios.items()
        ]
        mean = statistics.mean(ratios.values())
        found.append({"what": f"{model}, all cuts, over ease", "measured": mean, "target": ">= 1"})
        for key, row in values.items():
            share = row[model]["lists"] / max(row[model]["clicks"], 1e-9)
            what = f"{key}: {model}, share of new items in lists over that in clicks"
            found.append({"what": what, "measured": share, "target": ">= 0.67"})
    best = [max(row[model]["new"] for model in SEEDED) for row in values.values()]
    content = [row["content-knn"]["new"] for row in values.values()]
    measured = statistics.mean(best) / max(statistics.mean(content), 1e-9)
    what = "the better of both among new items, over content-knn, mean of all cuts"
    return [*found, {"what": what, "measured": measured, "target": ">= 1"}]


def measured(
    name: str, log: pl.DataFrame, table: pl.DataFrame, cut: float, seeds: int
) -> dict[str, dict[str, Any]]:
    """model -> ndcg@10 of all candidates and of new among new, shares of new items, users.

    Means over the seeds, ``spread`` the standard deviation of ``all`` and ``by_seed`` its values.
    """
    train, history, targets = split(log, cut)
    clicks = Interactions.from_frame(train.select("user_id", "item_id", "timestamp"))
    found: dict[str, dict[str, Any]] = {}
    for model_name, make in MODELS.items():
        runs = []
        for seed in range(seeds if model_name in SEEDED else 1):
            model = make(seed).fit(clicks, Items.from_frame(table))
            runs.append(judged(model, history, targets))
        row = found[model_name] = {key: statistics.mean(run[key] for run in runs) for key in runs[0]}
        ratio = row["all"] / max(found["ease"]["all"], 1e-9)
        shown = "  ".join(f"{key} {value:.4f}" for key, value in row.items())
        row["by_seed"] = [run["all"] for run in runs]
        row["spread"] = statistics.stdev(row["by_seed"]) if len(runs) > 1 else 0.0
        print(
            f"{name} {cut} {model_name:12} {shown}  over ease {ratio:.4f} ± {row['spread']:.4f}", flush=True
        )
    return found


def split(log: pl.DataFrame, cut: float) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Clicks before the cut; history and targets of the users active after it."""
    log = log.sort("timestamp", maintain_order=True).with_row_index("row")
    first = int(cut * log.height)
    ranked = log.with_columns(
        rank=pl.col("row").rank("ordinal").over("user_id") / pl.len().over("user_id"),
        active=(pl.col("row").max() >= first).over("user_id"),
    ).filter("active")
    late = (pl.col("rank") > HISTORY) & (pl.col("row") >= first)
    return log.filter(pl.col("row") < first), ranked.filter(pl.col("rank") <= HISTORY), ranked.filter(late)


def judged(model: Any, history: pl.DataFrame, targets: pl.DataFrame) -> dict[str, float]:
    """ndcg@10 and shares of one fitted model."""
    users = np.intersect1d(history["user_id"].unique(), targets["user_id"].unique())
    known, hidden = (matrix(frame, users, model) for frame in (history, targets))
    scores = model.score(known)
    hide(scores, known)
    new = np.bincount(model.clicks_.indices, minlength=model.n_items) == 0
    lots = np.random.default_rng(0).integers(2**63, size=len(users), dtype=np.uint64)
    everything, among_new = model.rank(scores, K, [None, new], lots)
    of_new = hidden[:, np.flatnonzero(new)]
    return {
        "all": mean_ndcg(everything.columns, hidden),
        "new": mean_ndcg(among_new.columns, matrix(targets, users, model, new)),
        "lists": float(new[everything.columns].mean()),
        "clicks": of_new.nnz / hidden.nnz,
        "users": len(users),
    }


def mean_ndcg(columns: Any, targets: csr_array) -> float:
    """Over the users with targets."""
    n_targets = np.diff(targets.indptr)
    some = n_targets > 0
    return float(ndcg(rank_hits(columns, targets)[some], n_targets[some], K).mean()) if some.any() else 0.0


def matrix(frame: pl.DataFrame, users: Any, model: Any, kept: Any = None) -> csr_array:
    """Clicks of these users over the model's catalogue, on the kept items."""
    frame = frame.filter(pl.col("user_id").is_in(users.tolist()))
    rows, columns = np.searchsorted(users, frame["user_id"]), model.items_.rows(frame["item_id"])
    if kept is not None:
        rows, columns = rows[kept[columns]], columns[kept[columns]]
    ones = np.ones(len(rows), np.float32)
    found = csr_array((ones, (rows, columns)), shape=(len(users), model.n_items))
    found.sum_duplicates()
    return found


def data_sets(folder: Path, graph: Path) -> Iterator[tuple[str, pl.DataFrame, pl.DataFrame]]:
    """Name, log (user_id, item_id, timestamp) and item table."""
    read: dict[str, Any] = {"separator": "\t", "skip_rows": 1, "has_header": False, "quote_char": None}
    read["infer_schema_length"] = None
    columns = ["user_id", "item_id", "rating", "timestamp"]
    log = pl.read_csv(graph / "ml-100k.inter", new_columns=columns, **read)
    table = pl.read_csv(graph / "ml-100k.item", new_columns=["item_id", "title", "year", "genres"], **read)
    table = table.with_columns(
        pl.col("genres").cast(pl.String).str.split(" "), pl.col("year").cast(pl.Float64, strict=False)
    )
    yield "ml-100k", log, table.filter(pl.col("item_id").is_in(log["item_id"].unique().to_list()))
    small = folder / "ml-latest-small"
    log, table = pl.read_parquet(small / "ratings.parquet"), pl.read_parquet(small / "items.parquet")
    yield "ml-latest-small", log, table


if __name__ == "__main__":
    main()
