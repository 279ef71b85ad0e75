"""What a mask does to the input: it brings the clicks of two users closer, or drives them apart.

A mask keeps the click on item i with probability ρ_i, for each user anew. Of two users' clicks, one that only
one of them has stays a difference with probability ρ_i; one that both have becomes one with 2ρ_i(1 − ρ_i). So

    E ‖x_u,h − x_v,h‖₁ = Σ_{only one} ρ_i + Σ_{both} 2ρ_i(1 − ρ_i),

a sum of independent 0/1 terms, of which there are as many as items in either history: Hoeffding's inequality
bounds how probable it is that the two come closer than they were (contraction) or go further apart
(expansion). PIA, thm 2.6.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.linalg.csr import binary, rows_of
from isotherm.streams import stream
from isotherm.types import Float32, Float64, UserIndex, UserItems

_BLOCK = 4096


@dataclass(frozen=True)
class Contraction:
    """Input distances of pairs under many masks, against the bounds of theory.

    pairs: one row per pair: l1 (clean), shared, mean (expected ‖x_u,h − x_v,h‖₁), measured (over the draws),
    contracts, expands (share of draws in which the distance is below, above the clean one), contracts_low,
    expands_low (at least so often, by Hoeffding's inequality; 0 where it says nothing).
    draws: masks drawn a pair.
    """

    pairs: pl.DataFrame
    draws: int

    @property
    def within_bounds(self) -> float:
        """Share of the pairs whose measured frequencies keep the bounds, three standard errors allowed."""
        good = self._keeps("contracts") & self._keeps("expands")
        return float(self.pairs.select(good.mean()).item())

    def _keeps(self, event: str) -> pl.Expr:
        bound = pl.col(f"{event}_low")
        slack = 3 * (bound * (1 - bound) / self.draws).sqrt() + 1 / self.draws
        return pl.col(event) >= bound - slack


def measure_contraction(
    histories: UserItems,
    keep: Float32,
    u: UserIndex,
    v: UserIndex,
    draws: int = 200,
    seed: int = 0,
) -> Contraction:
    """The distances of pairs of rows u, v (n_pairs,) of the histories.  keep: (n_items,) ρ_i.

    Memory is some thousand pairs at a time.
    """
    rng = stream(seed, "masked distances")
    ones, frames = binary(histories), []
    for first in range(0, len(u), _BLOCK):
        block = slice(first, first + _BLOCK)
        frames.append(_masked_distances(csr_array(ones[u[block]] + ones[v[block]]), keep, draws, rng))
    return Contraction(pl.concat(frames), draws)


def _masked_distances(sums: UserItems, keep: Float32, draws: int, rng: np.random.Generator) -> pl.DataFrame:
    """One row per pair.  sums: (n_pairs, n_items), 1 where one of the two clicked, 2 where both did."""
    both, chance = sums.data > 1.5, keep[sums.indices].astype(np.float64)
    differs = np.where(both, 2 * chance * (1 - chance), chance)
    rows, n_pairs = rows_of(sums), sums.shape[0]
    either, shared = np.diff(sums.indptr), np.bincount(rows, both, minlength=n_pairs)
    l1, mean = either - shared, np.bincount(rows, differs, minlength=n_pairs)
    total, below, above = np.zeros(n_pairs), np.zeros(n_pairs), np.zeros(n_pairs)
    for _ in range(draws):
        distance = np.bincount(rows, rng.random(len(differs)) < differs, minlength=n_pairs)
        total += distance
        below += distance < l1
        above += distance > l1
    return pl.DataFrame(
        {
            "l1": l1,
            "shared": shared,
            "mean": mean,
            "measured": total / draws,
            "contracts": below / draws,
            "contracts_low": 1 - _hoeffding(l1 - mean, either),
            "expands": above / draws,
            "expands_low": 1 - _hoeffding(mean - l1, either),
        }
    )


def _hoeffding(deviation: Float64, n_terms: Float64) -> Float64:
    """Upper bound of P(a sum of 0/1 terms is so far beyond its mean), 1 where the deviation is negative."""
    return np.asarray(np.exp(-2 * np.maximum(deviation, 0) ** 2 / n_terms))
