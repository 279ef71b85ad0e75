"""MARec: the whole fit at the ML-10M shape, and against the literal dense formulas at 20,000 × 3,000."""

import sys
import time
from pathlib import Path

import numpy as np
from common import interleaved, peak_memory, published_marec, report, size, synthetic_clicks, synthetic_items

from isotherm import EASE, Interactions, Items, MARec, progress
from isotherm.linalg.gram import gram

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.reference import marec as reference

USERS, ITEMS, CLICKS = size((55_485, 5_986, 4_000_000), (300, 60, 4_000))
COLD_SHARE = 0.2


def problem(n_users: int, n_items: int, n_clicks: int):
    """Clicks on the first four fifths of the items, and the item table of all."""
    warm = n_items - round(COLD_SHARE * n_items)
    clicks = Interactions.from_csr(synthetic_clicks(n_users, warm, n_clicks))
    return clicks, Items.from_frame(synthetic_items(n_items))


def compile_kernels() -> None:
    """A tiny fit, so that no timing holds a compiler."""
    progress.watch_with("silent")
    clicks, items = problem(300, 60, 4_000)
    published_marec().fit(clicks, items)


def fit_setup(n_users: int, n_items: int, n_clicks: int, beta):
    """A whole fit, ready to run; it returns its seconds."""
    compile_kernels()
    clicks, items = problem(n_users, n_items, n_clicks)

    def run() -> float:
        started = time.perf_counter()
        published_marec(beta=beta).fit(clicks, items)
        return time.perf_counter() - started

    return run


def dense_setup(n_users: int, n_items: int, n_clicks: int):
    """The literal formulas on dense arrays, given the item vectors; it returns its seconds."""
    clicks, items = problem(n_users, n_items, n_clicks)
    model = published_marec(beta=2.0)
    progress.watch_with("silent")
    similarity = _similarities(model, items)
    x = np.zeros((n_users, n_items))
    x[:, : clicks.n_items] = clicks.matrix.toarray()

    def run() -> float:
        started = time.perf_counter()
        _literal_fit(x, similarity, 500.0)
        return time.perf_counter() - started

    return run


def _similarities(model: MARec, items: Items) -> list[np.ndarray]:
    from isotherm.features.metadata_similarity import MetadataSimilarity

    similarity = MetadataSimilarity.fitted(items, shrinkage=model.shrinkage, second_order=False)
    encoded = similarity.encode(items)
    fields = similarity.index(encoded).by_field(encoded, np.arange(len(items)))
    return [field.astype(np.float64) for field in fields]


def _literal_fit(x: np.ndarray, by_field: list[np.ndarray], l2: float) -> np.ndarray:
    """Eq. 5, the regression and eq. 9 as a reader would type them: one users × items array a term."""
    terms = reference.eq5_terms(by_field, second_order=True)
    counts = x.sum(axis=0)
    columns = np.flatnonzero(counts)
    weight = np.where(x[:, columns] > 0, 1.0, 0.1)
    predicted = [x @ g for g in terms]  # what the literal fit must hold: one users × items array a term
    n = len(terms)
    normal, target = np.empty((n + 1, n + 1)), np.empty(n + 1)
    ones = np.ones_like(weight)
    for a in range(n + 1):
        left = weight * (predicted[a][:, columns] if a < n else ones)
        target[a] = np.vdot(left, x[:, columns])
        for b in range(a, n + 1):
            normal[a, b] = normal[b, a] = np.vdot(left, predicted[b][:, columns] if b < n else ones)
    mu = np.linalg.lstsq(normal, target, rcond=None)[0][:-1]
    g = sum(m * t for m, t in zip(mu, terms, strict=True))
    d = reference.eq6_strengths(counts, max(np.percentile(counts, 10), 1), 2.0)
    return reference.eq9_weights(x, g, d, 1.0, l2)


def main() -> None:
    memory, seconds = peak_memory(fit_setup, USERS, ITEMS, CLICKS, "auto")
    clicks, _ = problem(USERS, ITEMS, CLICKS)
    progress.watch_with("silent")
    product = gram([clicks.matrix], clicks.n_items)
    work = np.empty_like(product)

    def solve() -> None:
        work[...] = product
        EASE(l2=500.0).solve(clicks.matrix, work)

    compile_kernels()
    alone = interleaved(3, solve=solve)["solve"]
    small = size((20_000, 3_000, 20_000 * 60), (300, 60, 4_000))
    dense_memory, dense_seconds = peak_memory(dense_setup, *small)
    ours_memory, ours_seconds = peak_memory(fit_setup, *small, 2.0)
    report(
        "marec_fit",
        [
            {
                "what": "whole fit, beta learned, ML-10M shape",
                "measured": seconds,
                "unit": "s",
                "target": "<= 30",
            },
            {"what": "its peak memory", "measured": memory / 2**30, "unit": "GiB", "target": "<= 3"},
            {"what": "the solve alone", "measured": alone, "unit": "s", "target": "<= 3"},
            {
                "what": "literal dense fit / ours, 20,000 × 3,000",
                "measured": dense_seconds / ours_seconds,
                "target": ">= 30",
            },
            {
                "what": "our memory / the literal fit's",
                "measured": ours_memory / dense_memory,
                "target": "<= 0.1",
            },
        ],
        shape=[USERS, ITEMS, clicks.n_clicks],
        attributes=5,
        pairs=10,
        seconds={"dense": dense_seconds, "ours": ours_seconds},
        gigabytes={"dense": dense_memory / 2**30, "ours": ours_memory / 2**30},
    )


if __name__ == "__main__":
    main()
