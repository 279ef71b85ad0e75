"""What in the metadata predicts clicks: the weighted least squares for μ (MARec, eq. 5), in item space.

The literal fit regresses every cell x_uj on the cells of X·S_a, users × items each. Here the sums over all
cells are ⟨S_a, C·S_b⟩ = ⟨S_a·L, S_b·L⟩ with the Gram matrix C = L·Lᵀ, and only the clicked cells, whose
weight differs, are visited: n_u² additions for a user of n_u clicks. Everything runs over bands of item rows.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas
from scipy.optimize import nnls
from scipy.sparse import csr_array

from isotherm.features.encoded_items import EncodedItems
from isotherm.features.metadata_similarity import MetadataIndex
from isotherm.kernels import kernel
from isotherm.linalg.cholesky import factorize_in_place
from isotherm.linalg.csr import entries_by_column
from isotherm.progress import stage
from isotherm.threads import run_bands
from isotherm.types import Array, Float32, Float64, Int64

_ROWS, _TILE = 16, 256  # rows and columns of a sparse term that meet the factor together
_LANES = 16  # terms are padded to whole vector registers
_BAND_BYTES = 256 * 2**20
_LEAST_EIGENVALUE = 1e-7
_SPARSE = 0.05  # share of nonzeros below which gathering rows of the Gram matrix beats the whole product


@dataclass
class NormalEquations:
    """A μ = b of the weighted fit; the last row and column belong to the intercept. float64."""

    matrix: Float64
    target: Float64

    def solve(self, non_negative: bool) -> Float64:
        """The n_terms weights μ, free or >= 0; the intercept is always free and is left out."""
        matrix, target = self.matrix, self.target
        centred = matrix[:-1, :-1] - np.outer(matrix[:-1, -1], matrix[-1, :-1]) / matrix[-1, -1]
        aim = target[:-1] - matrix[:-1, -1] * target[-1] / matrix[-1, -1]
        scale = np.sqrt(np.maximum(np.diag(centred), 0))
        scale = np.divide(
            1, scale, out=np.zeros_like(scale), where=scale > 1e-6 * np.sqrt(np.diag(matrix)[:-1])
        )
        centred = centred * np.outer(scale, scale)
        values, vectors = np.linalg.eigh(centred)
        # float32 sums cannot tell directions below this from nothing: held, so that no weight runs away there
        stiffness = np.sqrt(np.maximum(values, _LEAST_EIGENVALUE * max(values[-1], 1e-300)))
        root = stiffness[:, None] * vectors.T
        right = (vectors.T @ (aim * scale)) / stiffness
        weights = nnls(root, right)[0] if non_negative else np.linalg.lstsq(root, right, rcond=None)[0]
        return np.asarray(weights * scale)


def normal_equations(
    clicks: csr_array,
    gram: Float32,
    index: MetadataIndex,
    columns: EncodedItems,
    own_rows: Int64,
    nonclick_weight: float,
) -> NormalEquations:
    """Sums of the regression of x_uj on the terms, over all users and the given columns.

    clicks: (n_users, n_warm) CSR; gram: its Gram matrix; index: over the n_warm items.
    columns: the items j whose cells count, of the warm ones all or some; own_rows: their place among the warm
    ones, -1 for never clicked.
    nonclick_weight: weight of a cell without click; a clicked cell weighs 1.
    """
    first, second = index.term_fields
    n_terms, n_warm = len(first), len(gram)
    by_item = entries_by_column(clicks)
    totals = clicks.sum(axis=0).astype(np.float32)
    factor, lift = _factor(gram)
    every, every_sum = np.zeros((n_terms, n_terms)), np.zeros(n_terms)
    groups = -(-(n_terms + 1) // _LANES)
    clicked = np.zeros((groups * _LANES, groups * _LANES))
    band = min(len(columns), max(16, _BAND_BYTES // (4 * n_terms * max(n_warm, 1))))
    room = np.empty(n_terms * band * n_warm, dtype=np.float32)
    with stage("learn what the metadata is worth", len(columns)) as advance:
        for start in range(0, len(columns), band):
            rows = own_rows[start : start + band]
            fields = index.by_field(columns.take(np.arange(start, start + len(rows))), rows)
            terms = index.by_term(
                fields, room[: fields[0].size * n_terms].reshape(n_terms, *fields.shape[1:])
            )
            every_sum += (terms @ totals).sum(axis=1, dtype=np.float64)
            flat = terms.reshape(n_terms, -1)
            every -= lift * (flat @ flat.T)
            _times_factor(terms, factor)  # in place, and so is ``flat``
            every += flat @ flat.T
            clicked += sum(
                run_bands(
                    _clicked_cells, len(rows), rows, fields, first, second, groups,
                    by_item.indptr, by_item.indices, by_item.data, clicks.indptr, clicks.indices, clicks.data,
                )
            )  # fmt: skip
            advance(len(rows))
    counted = by_item[:, own_rows[own_rows >= 0]]
    cells = (
        clicks.shape[0] * len(columns),
        counted.nnz,
        float(clicks.data[counted.data].sum(dtype=np.float64)),
    )
    return _assembled(every, every_sum, clicked, cells, nonclick_weight)


def _factor(gram: Float32) -> tuple[Float32, np.float32]:
    """Lower L with L·Lᵀ = C + lift·I; the lift is what float32 needs to factorize any Gram matrix."""
    lift = np.float32(1e-5) * np.trace(gram)
    factor = gram.copy()
    factor.flat[:: len(gram) + 1] += lift
    factorize_in_place(factor)
    return factor, lift


def _times_factor(terms: Float32, factor: Float32) -> None:
    """terms · L, (n_terms, n_rows, n_warm), in place; rare features make terms sparse, and those cheap."""
    for term in terms:
        if np.count_nonzero(term) > _SPARSE * term.size:
            # in BLAS's column order this is Lᵀ · termᵀ, half the flops of a full product
            blas.strmm(1.0, factor.T, term.T, lower=0, overwrite_b=1)
        else:
            run_bands(_sparse_times_factor, len(term), term, factor, smallest=_ROWS)


def _assembled(
    every: Float64,
    every_sum: Float64,
    clicked: Float64,
    cells: tuple[int, int, float],
    nonclick_weight: float,
) -> NormalEquations:
    """Cells weigh w₀, the clicked ones 1 − w₀ more.  cells: how many, how many clicked, Σ of these x_uj."""
    n_terms, more = len(every), 1 - nonclick_weight
    matrix, target = np.empty((n_terms + 1, n_terms + 1)), np.empty(n_terms + 1)
    matrix[:-1, :-1] = nonclick_weight * (every + every.T) / 2 + more * clicked[:n_terms, :n_terms]
    # the lane behind the terms holds the ones of the intercept; row and column differ by the factor x_uj
    matrix[:-1, -1] = matrix[-1, :-1] = nonclick_weight * every_sum + more * clicked[n_terms, :n_terms]
    matrix[-1, -1] = nonclick_weight * cells[0] + more * cells[1]
    target[:-1], target[-1] = clicked[:n_terms, n_terms], cells[2]
    return NormalEquations(matrix, target)


@kernel
def _sparse_times_factor(first: int, last: int, term: Array, factor: Array) -> None:
    """term · L in place for a band of rows: nonzeros are listed once, and meet L a tile of columns a time."""
    n = len(factor)
    columns, values = np.empty((_ROWS, n), np.int32), np.empty((_ROWS, n), np.float32)
    counts = np.empty(_ROWS, np.int64)
    for top in range(first, last, _ROWS):
        rows = min(_ROWS, last - top)
        for r in range(rows):
            row, count = term[top + r], 0
            for i in range(n):
                if row[i] != 0:
                    columns[r, count], values[r, count] = i, row[i]
                    count += 1
            counts[r] = count
        for left in range(0, n, _TILE):
            right = min(left + _TILE, n)
            for r in range(rows):
                out = term[top + r, left:right]
                out[:] = 0
                for p in range(counts[r]):
                    i, value = columns[r, p], values[r, p]
                    if i >= left:  # L is lower: its row i ends at column i
                        known = factor[i, left : min(right, i + 1)]
                        for c in range(len(known)):
                            out[c] += value * known[c]


@kernel
def _clicked_cells(
    begin: int,
    end: int,
    own_rows: Array,
    fields: Array,
    first: Array,
    second: Array,
    groups: int,
    item_starts: Array,
    item_users: Array,
    item_places: Array,
    starts: Array,
    items: Array,
    weights: Array,
) -> Array:
    """Sums over the clicked cells of a band of items: of s_a·s_b, of s_a·x_uj (column n), of s_a (row n)."""
    n_terms, n_warm = len(first), fields.shape[2]
    sums = np.zeros((groups * _LANES, groups * _LANES))
    # all terms of one item pair side by side, a vector register's worth at a time
    similarity = np.zeros((groups, n_warm, _LANES), np.float32)
    cell, part = np.zeros(groups * _LANES, np.float32), np.zeros(_LANES, np.float32)
    for r in range(begin, end):
        j = own_rows[r]
        if j < 0:
            continue
        for t in range(n_terms):
            one, lane = fields[first[t], r], similarity[t // _LANES, :, t % _LANES]
            if second[t] < 0:
                for i in range(n_warm):
                    lane[i] = one[i]
            else:
                other = fields[second[t], r]
                for i in range(n_warm):
                    lane[i] = one[i] * other[i]
        for c in range(item_starts[j], item_starts[j + 1]):
            user = item_users[c]
            for g in range(groups):
                part[:] = 0
                for p in range(starts[user], starts[user + 1]):
                    weight, i = weights[p], items[p]
                    for t in range(_LANES):
                        part[t] += weight * similarity[g, i, t]
                for t in range(_LANES):
                    cell[g * _LANES + t] = part[t]
            clicked = weights[item_places[c]]
            for a in range(n_terms):
                for b in range(n_terms):
                    sums[a, b] += cell[a] * cell[b]
                sums[a, n_terms] += cell[a] * clicked
                sums[n_terms, a] += cell[a]
    return sums
