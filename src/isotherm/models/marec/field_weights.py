"""What fields are worth: weighted least squares of clicks on metadata for μ (MARec, eq. 5), in item space.

A cell (u, j) is a user and the column of an item; x_uj is its click, if any, and the prediction of term a, a
field or a pair of fields with similarities S_a, is s_a = (X·S_a)_uj. Of

    Σ_cells w_uj (x_uj − c − Σ_a μ_a·s_a)²,   w_uj = 1 where u clicked j, w₀ elsewhere

the normal equations are w₀ times sums over all cells and 1 − w₀ times sums over the clicked ones. Literally,
each s_a is users × items. Here the sums over all cells are Σ s_a·s_b = ⟨S_a, C·S_b⟩ = ⟨S_a·L, S_b·L⟩ with the
Gram matrix C = L·Lᵀ; and only the clicked cells are visited: n_u² additions for a user of n_u clicks.
Everything runs over bands of columns.

Of large logs the sums over all cells are those of some columns, and the sums over clicked cells those of more
columns and of some users: popular columns and all kinds of metadata are met in both.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas
from scipy.optimize import nnls

from isotherm.features.encoded_items import EncodedItems
from isotherm.features.metadata_similarity import MetadataIndex
from isotherm.kernels import inlined, kernel
from isotherm.linalg.cholesky import factorize_in_place
from isotherm.linalg.csr import column_counts, entries_by_column, take_rows
from isotherm.progress import stage
from isotherm.streams import stream
from isotherm.threads import run_bands
from isotherm.types import Array, Float32, Float64, Int64, UserItems

_ROWS, _TILE = 16, 256  # rows and columns of a sparse term that meet the factor together
_LANES = 16  # terms are padded to whole vector registers
_BAND_BYTES = 256 * 2**20  # of the terms of a band
_LEAST_EIGENVALUE = 1e-7  # relative: float32 sums cannot tell directions below it from nothing
_LEAST_DEVIATION = 1e-6  # of a term, relative to its root mean square: below, it is the intercept
_JITTER = 1e-5  # relative to the trace: what float32 needs to factorize any Gram matrix
_SPARSE = 0.05  # share of nonzeros below which gathering rows of the factor beats the whole product


@dataclass(frozen=True)
class NormalEquations:
    """A·(μ, c) = b of the weighted fit; the last row and column belong to the intercept c. float64.

    matrix: A, (n_terms + 1, n_terms + 1).  target: b, (n_terms + 1,).

    >>> import numpy as np
    >>> from isotherm.models.marec.field_weights import NormalEquations
    >>> equations = NormalEquations(np.diag([1.0, 2.0, 1.0]), np.array([-1.0, 4.0, 0.0]))
    >>> equations.solve(non_negative=False).round(6).tolist()
    [-1.0, 2.0]
    >>> equations.solve(non_negative=True).round(6).tolist()
    [0.0, 2.0]
    """

    matrix: Float64
    target: Float64

    def solve(self, non_negative: bool) -> Float64:
        """μ, (n_terms,), free or >= 0; the intercept is always free and is left out."""
        cross, weight = self.matrix[:-1, -1], self.matrix[-1, -1]
        squares = np.diag(self.matrix)[:-1]
        covariance = self.matrix[:-1, :-1] - np.outer(cross, self.matrix[-1, :-1]) / weight
        target = self.target[:-1] - cross * self.target[-1] / weight
        deviation = np.sqrt(np.maximum(np.diag(covariance), 0))
        varies = deviation > _LEAST_DEVIATION * np.sqrt(squares)
        scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=varies)
        values, vectors = np.linalg.eigh(covariance * np.outer(scale, scale))
        # small eigenvalues are held, so that no weight runs away in their directions
        singular = np.sqrt(np.maximum(values, _LEAST_EIGENVALUE * max(values[-1], 1e-300)))
        root = singular[:, None] * vectors.T
        right = (vectors.T @ (target * scale)) / singular
        weights = nnls(root, right)[0] if non_negative else np.linalg.lstsq(root, right, rcond=None)[0]
        return np.asarray(weights * scale)


@dataclass(frozen=True)
class CellSample:
    """The cells that are added up: of large logs a sample tells some dozens of weights as well.

    columns: the most columns of the sums over all cells.  clicked_columns, users: the most columns, those
    among them, and users of the sums over clicked cells.  seed: of the draw.
    """

    columns: int = 700
    clicked_columns: int = 1_500
    users: int = 1_000
    seed: int = 0


def normal_equations(
    user_items: UserItems,
    gram: Float32,
    index: MetadataIndex,
    columns: EncodedItems,
    warm_rows: Int64,
    nonclick_weight: float,
    sample: CellSample = CellSample(),
) -> NormalEquations:
    """The equations over the cells of all users and some items' columns.

    user_items: X, (n_users, n_warm).  gram: C, (n_warm, n_warm).  index: over the n_warm items.
    columns: the items j whose cells count.  warm_rows: (len(columns),) which of the n_warm items each is, -1
    for a never-clicked one.  nonclick_weight: w₀.  sample: sums over fewer cells stand for those over all.
    """
    n_terms, n_columns = len(index.term_fields), len(columns)
    rng = stream(sample.seed, "cells by which fields' weights are learned")
    drawn = rng.permutation(n_columns)[: max(sample.clicked_columns, sample.columns)]
    some_columns, more_columns = np.sort(drawn[: sample.columns]), np.sort(drawn[sample.columns :])
    some_users = np.sort(rng.permutation(user_items.shape[0])[: sample.users])
    with stage("learn what the metadata is worth", len(drawn), "items") as advance:
        clicked_cells = _ClickedCells(user_items, some_users, index, warm_rows)
        all_cells = _AllCells(user_items, gram, n_terms)
        for band in _bands(index, columns.take(some_columns), warm_rows[some_columns], n_terms):
            clicked_cells.add(band)
            all_cells.add(band, index)
            advance(len(band.warm_rows))
        for band in _bands(index, columns.take(more_columns), warm_rows[more_columns], len(index.indexes)):
            clicked_cells.add(band)
            advance(len(band.warm_rows))
    extra = (1 - nonclick_weight) * clicked_cells.part
    of_all = nonclick_weight * n_columns / max(len(some_columns), 1)
    matrix, target = np.empty((n_terms + 1, n_terms + 1)), np.empty(n_terms + 1)
    matrix[:-1, :-1] = of_all * all_cells.symmetric_products() + extra * clicked_cells.products
    matrix[:-1, -1] = matrix[-1, :-1] = of_all * all_cells.totals + extra * clicked_cells.totals
    matrix[-1, -1] = nonclick_weight * user_items.shape[0] * n_columns
    matrix[-1, -1] += (1 - nonclick_weight) * clicked_cells.n
    target[:-1], target[-1] = clicked_cells.part * clicked_cells.click_products, clicked_cells.click_total
    return NormalEquations(matrix, target)


@dataclass(frozen=True)
class _Band:
    """Some columns.  warm_rows: (n_columns,) which of the n_warm items each is, -1 for a never-clicked one.

    by_field: their similarities to the warm items, (n_fields, n_columns, n_warm).
    """

    warm_rows: Int64
    by_field: Float32


def _bands(index: MetadataIndex, columns: EncodedItems, warm_rows: Int64, n_layers: int) -> Iterator[_Band]:
    """All columns, some at a time.  n_layers: (n_columns, n_warm) arrays that a band needs."""
    n_warm = len(index.catalogue)
    size = min(len(columns), max(16, _BAND_BYTES // (4 * n_layers * max(n_warm, 1))))
    for start in range(0, len(columns), max(size, 1)):
        rows = warm_rows[start : start + size]
        yield _Band(rows, index.by_field(columns.take(np.arange(start, start + len(rows))), rows))


class _AllCells:
    """Sums over all cells of the columns that are added.

    products: Σ s_a·s_b, (n_terms, n_terms).  totals: Σ s_a, (n_terms,).
    """

    def __init__(self, user_items: UserItems, gram: Float32, n_terms: int) -> None:
        self.products, self.totals = np.zeros((n_terms, n_terms)), np.zeros(n_terms)
        self._item_totals = user_items.sum(axis=0).astype(np.float32)
        self._jitter = np.float32(_JITTER) * np.trace(gram)
        self._factor = gram.copy()  # lower L with L·Lᵀ = C + jitter·I
        self._factor.flat[:: len(gram) + 1] += self._jitter
        factorize_in_place(self._factor)

    def add(self, band: _Band, index: MetadataIndex) -> None:
        """More columns."""
        terms = index.by_term(band.by_field)
        self.totals += (terms @ self._item_totals).sum(axis=1, dtype=np.float64)
        flat = terms.reshape(len(terms), -1)
        self.products -= self._jitter * (flat @ flat.T)
        _multiply_by_factor(terms, self._factor)  # in place, and so is ``flat``
        self.products += flat @ flat.T

    def symmetric_products(self) -> Float64:
        """The products, without what rounding made of their symmetry."""
        return (self.products + self.products.T) / 2


class _ClickedCells:
    """Sums over the clicked cells of the columns that are added and of some users.

    products: Σ s_a·s_b, (n_terms, n_terms).  totals, click_products: Σ s_a and Σ s_a·x_uj, (n_terms,).
    n, click_total: how many cells, and Σ x_uj, of all users and columns.  part: what the sums are to be
    multiplied by.
    """

    def __init__(
        self, user_items: UserItems, some_users: Int64, index: MetadataIndex, warm_rows: Int64
    ) -> None:
        """warm_rows: of all columns whose cells the sums stand for."""
        every = len(some_users) == user_items.shape[0]
        self._user_items = user_items if every else take_rows(user_items, some_users)[0]
        self._first, self._second = index.term_fields.first, index.term_fields.second
        self._by_item = entries_by_column(self._user_items)
        clicked = warm_rows[warm_rows >= 0]
        totals = np.bincount(user_items.indices, user_items.data, user_items.shape[1])
        self.n, self.click_total = int(column_counts(user_items)[clicked].sum()), float(totals[clicked].sum())
        # a lane behind the terms holds what belongs to the intercept
        self._groups = -(-(len(self._first) + 1) // _LANES)
        self._sums = np.zeros((self._groups * _LANES, self._groups * _LANES))
        self._n_added = 0

    def add(self, band: _Band) -> None:
        """More columns; of never-clicked ones there is no cell."""
        x, by_item, rows = self._user_items, self._by_item, band.warm_rows
        self._sums += sum(
            run_bands(
                _clicked_cells, len(rows), rows, band.by_field, self._first, self._second, self._groups,
                by_item.indptr, by_item.indices, by_item.data, x.indptr, x.indices, x.data,
            )
        )  # fmt: skip
        clicked = rows[rows >= 0]
        self._n_added += int(np.diff(by_item.indptr)[clicked].sum())

    @property
    def part(self) -> float:
        return self.n / max(self._n_added, 1)

    @property
    def products(self) -> Float64:
        n_terms = len(self._first)
        return self._sums[:n_terms, :n_terms]

    @property
    def totals(self) -> Float64:
        n_terms = len(self._first)
        return self._sums[n_terms, :n_terms]

    @property
    def click_products(self) -> Float64:
        n_terms = len(self._first)
        return self._sums[:n_terms, n_terms]


def _multiply_by_factor(terms: Float32, factor: Float32) -> None:
    """S·L of each term S, (n_columns, n_warm), in place; rare features make terms sparse, and those cheap."""
    for term in terms:
        if np.count_nonzero(term) > _SPARSE * term.size:
            # in BLAS's column order this is Lᵀ · termᵀ, half the flops of a full product
            blas.strmm(1.0, factor.T, term.T, lower=0, overwrite_b=1)
        else:
            run_bands(_sparse_times_factor, len(term), term, factor, smallest=_ROWS)


@kernel
def _sparse_times_factor(first: int, last: int, term: Array, factor: Array) -> None:
    """term · L in place for a band of rows: nonzeros are listed once and meet L in tiles of columns."""
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
                        factor_row = factor[i, left : min(right, i + 1)]
                        for c in range(len(factor_row)):
                            out[c] += value * factor_row[c]


@inlined
def _fill_similarities(fields: Array, row: int, first: Array, second: Array, similarities: Array) -> None:
    """Terms of one item to the warm ones, (groups, n_warm, _LANES): a vector register of them at once."""
    for t in range(len(first)):
        field, lane = fields[first[t], row], similarities[t // _LANES, :, t % _LANES]
        if second[t] < 0:
            for i in range(len(lane)):
                lane[i] = field[i]
        else:
            other = fields[second[t], row]
            for i in range(len(lane)):
                lane[i] = field[i] * other[i]


@kernel
def _clicked_cells(
    begin: int,
    end: int,
    warm_rows: Array,
    fields: Array,
    first: Array,
    second: Array,
    groups: int,
    item_starts: Array,
    item_users: Array,
    item_entries: Array,
    starts: Array,
    items: Array,
    weights: Array,
) -> Array:
    """Sums over the clicked cells of a band of items: of s_a·s_b, of s_a·x_uj (column n), of s_a (row n)."""
    n_terms, sums = len(first), np.zeros((groups * _LANES, groups * _LANES))
    similarities = np.zeros((groups, fields.shape[2], _LANES), np.float32)
    cell, lanes = np.zeros(groups * _LANES, np.float32), np.zeros(_LANES, np.float32)
    for r in range(begin, end):
        j = warm_rows[r]
        if j < 0:
            continue
        _fill_similarities(fields, r, first, second, similarities)
        for c in range(item_starts[j], item_starts[j + 1]):
            user, clicked = item_users[c], weights[item_entries[c]]
            for g in range(groups):
                lanes[:] = 0
                for p in range(starts[user], starts[user + 1]):
                    weight, i = weights[p], items[p]
                    for t in range(_LANES):
                        lanes[t] += weight * similarities[g, i, t]
                for t in range(_LANES):
                    cell[g * _LANES + t] = lanes[t]
            for a in range(n_terms):
                for b in range(n_terms):
                    sums[a, b] += cell[a] * cell[b]
                sums[a, n_terms] += cell[a] * clicked
                sums[n_terms, a] += cell[a]
    return sums
