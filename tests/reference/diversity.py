"""Lists and their metadata, literally: a loop over pairs, over values, over picks."""

import math

import numpy as np


def cosine(x, y):
    """x·y / ‖x‖‖y‖."""
    return float(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)))


def intra_list_distance(shown, vectors):
    """Mean 1 − cosine over the pairs of a list's items that have metadata; None for fewer than two."""
    items = [i for i in shown if i >= 0 and vectors[i].any()]
    pairs = [1 - cosine(vectors[a], vectors[b]) for n, a in enumerate(items) for b in items[n + 1 :]]
    return sum(pairs) / len(pairs) if pairs else None


def distribution(weights, shares):
    """p(g|u) of Steck 2018, eq. 2: Σ w_i p(g|i) / Σ w_i over the items that have metadata."""
    known = {i: w for i, w in weights.items() if shares[i].any()}
    return sum(w * shares[i] for i, w in known.items()) / sum(known.values()) if known else None


def eq6_kl(p, q, alpha=0.01):
    """KL(p ‖ q̃) with q̃ = (1 − α)q + αp, in nats."""
    smoothed = [(1 - alpha) * b + alpha * a for a, b in zip(p, q, strict=True)]
    return sum(a * math.log(a / b) for a, b in zip(p, smoothed, strict=True) if a > 0)


def jensen_shannon(p, q):
    """In bits."""
    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    halves = [sum(a * math.log2(a / m) for a, m in zip(x, middle, strict=True) if a > 0) for x in (p, q)]
    return sum(halves) / 2


def mmr(scores, vectors, k, diversity, unknown):
    """Carbonell and Goldstein 1998, greedily: argmax (1 − d)·relevance(i) − d·max over chosen j of sim(i, j).

    scores: of the pool, best first.  Relevance runs from 0 to 1 over the pool; ``unknown`` is the similarity
    of an item without metadata to any other.
    """
    scores = np.asarray(scores, dtype=float)
    spread = scores.max() - scores.min()
    relevance = (scores - scores.min()) / spread if spread > 0 else np.zeros(len(scores))

    def similarity(a, b):
        return cosine(vectors[a], vectors[b]) if vectors[a].any() and vectors[b].any() else unknown

    chosen = []
    while len(chosen) < min(k, len(scores)):
        left = [i for i in range(len(scores)) if i not in chosen]
        value = {
            i: (1 - diversity) * relevance[i]
            - diversity * max((similarity(i, j) for j in chosen), default=0.0)
            for i in left
        }
        best = max(value.values())
        chosen.append(next(i for i in left if value[i] > best - 1e-9))
    return chosen
