"""A new item at 20,000 items: dense similarities against one pass over the weights, and few neighbours."""

import numpy as np
import polars as pl
from common import interleaved, report, size, synthetic_clicks

from isotherm import Interactions, Items, MARec, progress

N_USERS, N_ITEMS, N_CLICKS = size((20_000, 20_000, 1_200_000), (200, 100, 4_000))
REPEATS = size(15, 1)


def table(rng: np.random.Generator, ids: np.ndarray, dense: bool) -> Items:
    """Vectors (every item is similar to every other) or rare tags (about fifty neighbours an item)."""
    if dense:
        vectors = rng.standard_normal((len(ids), 64)).astype(np.float32)
        return Items.from_frame(
            pl.DataFrame(
                {"item_id": ids, "clip": list(vectors)}, schema_overrides={"clip": pl.List(pl.Float32)}
            )
        )
    tags = [[f"t{t}" for t in rng.choice(2_000, 2, replace=False)] for _ in ids]
    return Items.from_frame(pl.DataFrame({"item_id": ids, "tags": tags}))


def measured(clicks: Interactions, dense: bool) -> tuple[float, float, float]:
    """Seconds to add one item, seconds to read the weights once, share of nonzero similarities."""
    rng = np.random.default_rng(1)
    model = MARec(beta=1.0, second_order=False).fit(clicks, table(rng, np.arange(N_ITEMS), dense))
    batches = iter([table(rng, np.array([N_ITEMS + n]), dense) for n in range(REPEATS + 2)])
    model.add_items(next(batches))
    weights = model.weights_.warm
    one = np.ones((1, N_ITEMS), dtype=np.float32)
    # one after the other: a pass over 1.6 GB would leave nothing in the caches for the next item
    add = interleaved(REPEATS, add=lambda: model.add_items(next(batches)))["add"]
    one_pass = interleaved(REPEATS, one_pass=lambda: one @ weights)["one_pass"]
    similar = model._weighted_similarity.rows(model.similarity_.encode(next(batches)))
    return add, one_pass, np.count_nonzero(similar) / similar.size


def main() -> None:
    progress.watch_with("silent")
    clicks = Interactions.from_csr(synthetic_clicks(N_USERS, N_ITEMS, N_CLICKS))
    dense, one_pass, dense_share = measured(clicks, dense=True)
    sparse, _, sparse_share = measured(clicks, dense=False)
    report(
        "add_items",
        [
            {
                "what": "one new item, dense similarities",
                "measured": 1e3 * dense,
                "unit": "ms",
                "target": "<= 100",
            },
            {"what": "the same / one pass over the weights (floor)", "measured": dense / one_pass},
            {
                "what": "one new item, few metadata neighbours",
                "measured": 1e3 * sparse,
                "unit": "ms",
                "target": "<= 10",
            },
        ],
        items=N_ITEMS,
        milliseconds={"one pass": 1e3 * one_pass},
        nonzero_similarities={"dense": dense_share, "few": sparse_share},
    )


if __name__ == "__main__":
    main()
