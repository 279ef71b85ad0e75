"""What a mask does: contraction and expansion of inputs, drift of neighbours, spread of the means.

A mask keeps the click on item i with probability ρ_i, for each user anew. Of two users' clicks, one that only
one of them has stays a difference with probability ρ_i; one that both have becomes one with 2ρ_i(1 − ρ_i). So

    E ‖x_u,h − x_v,h‖₁ = Σ_{only one} ρ_i + Σ_{both} 2ρ_i(1 − ρ_i),

a sum of independent 0/1 terms, of which there are as many as items in either history: Hoeffding's inequality
bounds how probable it is that the two come closer than they were (contraction) or part (expansion). PIA, 2.6.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.geometry.distances import nearest_users
from isotherm.geometry.posteriors import Posteriors
from isotherm.linalg.csr import binary, rows_of, with_data
from isotherm.models.vae.base import VAERecommender
from isotherm.progress import stage
from isotherm.streams import stream
from isotherm.types import Float32, Float64, Int32, Int64

_BLOCK = 4096


@dataclass(frozen=True)
class Contraction:
    """Input distances of pairs under many masks, against the bounds of theory.

    pairs: one row a pair: l1 (clean), shared, mean (expected ‖x_u,h − x_v,h‖₁), measured (over the draws),
    contracts, expands (share of draws in which the distance is below, above the clean one), contracts_low,
    expands_low (at least so often, by Hoeffding's inequality; 0 where it says nothing).
    draws: masks drawn a pair.
    """

    pairs: pl.DataFrame
    draws: int

    @property
    def holds(self) -> float:
        """Share of the pairs whose measured frequencies keep the bounds, three standard errors allowed."""
        slack = [
            3 * (pl.col(name) * (1 - pl.col(name)) / self.draws).sqrt() + 1 / self.draws
            for name in ("contracts_low", "expands_low")
        ]
        good = (pl.col("contracts") >= pl.col("contracts_low") - slack[0]) & (
            pl.col("expands") >= pl.col("expands_low") - slack[1]
        )
        return float(self.pairs.select(good.mean()).item())


def measure_contraction(
    histories: csr_array,
    keep: Float32,
    u: Int64,
    v: Int64,
    draws: int = 200,
    seed: int = 0,
) -> Contraction:
    """Of pairs of rows u, v (n_pairs,) of the histories.  keep: (n_items,) ρ_i."""
    rng = stream(seed, "masked distances")
    ones, parts = binary(histories), []
    for first in range(0, len(u), _BLOCK):
        a, b = ones[u[first : first + _BLOCK]], ones[v[first : first + _BLOCK]]
        sums = csr_array(a + b)  # 1: one of them, 2: both
        both = sums.data > 1.5
        chance = keep[sums.indices].astype(np.float64)
        differs = np.where(both, 2 * chance * (1 - chance), chance)
        rows, n = rows_of(sums), sums.shape[0]
        either = np.diff(sums.indptr)
        shared = np.bincount(rows, both, minlength=n)
        l1, mean = either - shared, np.bincount(rows, differs, minlength=n)
        total, below, above = np.zeros(n), np.zeros(n), np.zeros(n)
        for _ in range(draws):
            drawn = np.bincount(rows, rng.random(len(differs)) < differs, minlength=n)
            total += drawn
            below += drawn < l1
            above += drawn > l1
        # P(distance >= l1) <= exp(−2 (l1 − mean)² / n) where mean < l1; P(distance <= l1) likewise above it
        tail_up = np.exp(-2 * np.maximum(l1 - mean, 0) ** 2 / either)
        tail_down = np.exp(-2 * np.maximum(mean - l1, 0) ** 2 / either)
        parts.append(
            pl.DataFrame(
                {
                    "l1": l1,
                    "shared": shared,
                    "mean": mean,
                    "measured": total / draws,
                    "contracts": below / draws,
                    "contracts_low": 1 - tail_up,
                    "expands": above / draws,
                    "expands_low": 1 - tail_down,
                }
            )
        )
    return Contraction(pl.concat(parts), draws)


@dataclass(frozen=True)
class Drift:
    """What masks do to the latent places of users.

    k: neighbours looked at.  keep: mean ρ over the clicks.
    drift: (n_users,) 1 − the mean overlap of a user's k nearest users between two masks.
    from_clean: (n_users,) the same between a mask and the clean histories.
    variance: (n_users,) of μ(x_h) across the masks, summed over the dimensions.  spread: variance of the
    clean μ between users, summed likewise.  to_centroid: (n_users,) ‖μ(x_h) − ē_x‖, mean over masks, ē_x of
    the learned anchors; None without anchors.  to_fitted: the same to the best anchors after the fact
    (``fitted_anchors``), which every model has.
    """

    k: int
    keep: float
    drift: Float64
    from_clean: Float64
    variance: Float64
    spread: float
    to_centroid: Float64 | None
    to_fitted: Float64

    @property
    def relative(self) -> Float64:
        """(n_users,) variance across the masks as a share of the variance between users."""
        return self.variance / max(self.spread, 1e-12)


def measure_drift(
    model: VAERecommender,
    histories: csr_array,
    clean: Posteriors,
    keep: Float32,
    k: int = 10,
    masks: int = 8,
    seed: int = 0,
) -> Drift:
    """Neighbours among the users of ``histories`` by W₂, under ``masks`` masks of everybody's clicks.

    Memory is ``masks`` × users × k and one block of users × users. Without a mask it is exactly 0.
    """
    n_users = histories.shape[0]
    fitted = _centroids(fit_anchors(clean.mean, histories), histories)
    learned = None if model.anchors_ is None else _centroids(model.anchors_, histories)
    total, squares = np.zeros(clean.mean.shape), np.zeros(n_users)
    to_fitted, to_learned = np.zeros(n_users), np.zeros(n_users)
    near = []
    with stage("masks", masks) as advance:
        for number in range(masks):
            found = Posteriors.of(model.network_, histories, keep, stream(seed, "masks", number))
            near.append(nearest_users(found, k)[0])
            apart = (found.mean - clean.mean).astype(np.float64)
            total += apart
            squares += np.square(apart).sum(axis=1)
            to_fitted += np.linalg.norm(found.mean - fitted, axis=1)
            if learned is not None:
                to_learned += np.linalg.norm(found.mean - learned, axis=1)
            advance(1)
    variance = squares / masks - np.square(total / masks).sum(axis=1)
    itself = nearest_users(clean, k)[0]
    overlaps = [overlap(near[i], near[j]) for i in range(masks) for j in range(i)] or [np.ones(n_users)]
    return Drift(
        near[0].shape[1],
        float(keep[histories.indices].mean()),
        1 - np.mean(overlaps, axis=0),
        1 - np.mean([overlap(each, itself) for each in near], axis=0),
        np.maximum(variance, 0) * masks / max(masks - 1, 1),
        float(clean.mean.var(axis=0, dtype=np.float64).sum()),
        None if learned is None else to_learned / masks,
        to_fitted / masks,
    )


def overlap(first: Int32, second: Int32) -> Float64:
    """Share of each row's k entries that both (n, k) arrays hold, (n,)."""
    k = first.shape[1]
    both = np.sort(np.concatenate([first, second], axis=1), axis=1)
    return np.asarray((both[:, 1:] == both[:, :-1]).sum(axis=1) / k)


def fit_anchors(means: Float32, histories: csr_array) -> Float32:
    """(n_items, latent) anchors that minimise L_A for these posteriors, zero for an item without a click.

    e_i is the mean of μ_u over the users of i, each weighed by 1/|S_u|.
    """
    lengths = np.diff(histories.indptr)
    weights = with_data(histories, (1.0 / lengths)[rows_of(histories)].astype(np.float32))
    totals = np.asarray(weights.sum(axis=0)).ravel()
    return np.asarray((weights.T @ means) / np.maximum(totals, 1e-12)[:, None], dtype=np.float32)


def _centroids(anchors: Float32, histories: csr_array) -> Float32:
    """ē_x of each user, (n_users, latent): the mean of the anchors of the user's items."""
    return np.asarray(binary(histories) @ anchors / np.diff(histories.indptr)[:, None], dtype=np.float32)
