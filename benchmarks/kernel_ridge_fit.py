"""Kernel ridge on catalogues with thousands of tags, over fits of its own EASE: seconds and memory.

Drawn logs in the shapes of two published ones: users like some topics, and an item's tags are mostly of its
own topic. Ratios are of fits with all defaults, and of those with one penalty given, which leave out what
EASE takes to learn its own. The limit of memory is three times 2.2 float32 matrices over all items.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from common import peak_memory, report, size
from scipy.sparse import csr_array

from isotherm import EASE, Interactions, Items, KernelRidge, progress
from isotherm.threads import thread_count


@dataclass(frozen=True)
class Shape:
    """Of a log and its item table."""

    users: int
    items: int
    clicks: int
    tags: int
    repeats: int = 1


SHAPES = size(
    [Shape(1_879, 3_692, 60_621, 3_227, repeats=3), Shape(5_551, 13_584, 132_073, 19_000)],
    [Shape(120, 60, 900, 50)],
)
TOPICS, L2 = 40, 200.0


def drawn(shape: Shape) -> tuple[Interactions, Items]:
    """Topics have tags and items; items are clicked by a power law among those of a topic."""
    rng = np.random.default_rng(0)
    chances = {"tags": 1 / (np.arange(shape.tags) + 5.0)}
    chances["items"] = 1 / (rng.permutation(shape.items) + 20.0) ** 0.7
    topic = {name: rng.permutation(len(each)) % TOPICS for name, each in chances.items()}
    by_topic = {name: [np.flatnonzero(each == t) for t in range(TOPICS)] for name, each in topic.items()}

    def some(name: str, t: int, n: int) -> Any:
        places = by_topic[name][t]
        return rng.choice(places, n, p=chances[name][places] / chances[name][places].sum())

    tags = [[f"t{tag}" for tag in {*some("tags", t, 8), *rng.choice(shape.tags, 4)}] for t in topic["items"]]
    liked = rng.dirichlet(np.full(TOPICS, 0.1), shape.users)
    activity = rng.lognormal(2.7, 0.8, shape.users)
    lengths = np.maximum(np.rint(activity * shape.clicks / activity.sum()), 2).astype(int)
    topics = [rng.choice(TOPICS, n, p=liked[user]) for user, n in enumerate(lengths)]
    items = np.concatenate([some("items", t, 1) for each in topics for t in each])
    ones = np.ones(len(items), dtype=np.float32)
    rows = np.repeat(np.arange(shape.users), lengths)
    matrix = csr_array((ones, (rows, items)), shape=(shape.users, shape.items))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    ids = np.arange(shape.items)
    return Interactions.from_csr(matrix, item_ids=ids), Items.from_frame(
        pl.DataFrame({"item_id": ids, "tags": tags})
    )


def fits(shape: Shape) -> Callable[[], dict[str, float]]:
    """Median seconds of each fit, which take turns."""
    progress.watch_with("silent")
    clicks, items = drawn(shape)
    models: dict[str, Callable[[], Any]] = {
        "ease": lambda: EASE(l2=L2),
        "kernel-ridge": lambda: KernelRidge(backbone=EASE(l2=L2)),
        "ease by default": EASE,
        "kernel-ridge by default": KernelRidge,
    }

    def run() -> dict[str, float]:
        seconds: dict[str, list[float]] = {name: [] for name in models}
        for _ in range(shape.repeats):
            for name, make in models.items():
                started = time.perf_counter()
                make().fit(clicks, items)
                seconds[name].append(time.perf_counter() - started)
        return {name: float(np.median(each)) for name, each in seconds.items()}

    return run


def memory(shape: Shape) -> Callable[[], None]:
    """One fit of kernel ridge with all defaults."""
    progress.watch_with("silent")
    clicks, items = drawn(shape)

    def run() -> None:
        KernelRidge().fit(clicks, items)

    return run


def main() -> None:
    rows: list[dict[str, Any]] = []
    told = {}
    for shape in SHAPES:
        name, seconds = f"{shape.users:,} × {shape.items:,}", fits(shape)()
        told[name] = seconds
        n_bytes, _ = peak_memory(memory, shape)
        both = seconds["kernel-ridge"] / seconds["ease"]
        by_default = seconds["kernel-ridge by default"] / seconds["ease by default"]
        rows += [
            {"what": f"{name}: kernel-ridge / ease by default", "measured": by_default, "target": "<= 6"},
            {"what": f"{name}: kernel-ridge / ease, one penalty given", "measured": both, "target": "<= 6"},
            {
                "what": f"{name}: memory over the limit",
                "measured": n_bytes / (2.2 * 3 * 4 * shape.items**2),
                "target": size("<= 1", None),
            },
        ]
    report("kernel_ridge_fit", rows, seconds=told, threads=thread_count())


if __name__ == "__main__":
    main()
