"""Weighted SLIM (MARec, eq. 10-11): item-item weights, each column the solution of one least squares.

Column i is solved with weight 1 on the users who clicked i and w on the others:

    (XᵀW_iX·T + λI + γe_ie_iᵀ) θ_i = XᵀW_iX·t_i,   T = I (plain), or I + αGD with metadata (MARec)

Where clicks weigh much, θ_i is nearly e_i, and what ranks other items is the small difference. So the
difference is solved for: with A_i = XᵀW_iX·T + λI and u = A_i⁻¹e_i

    θ_i = e_i − (λ + γ)·u / (1 + γu_i)

(Sherman & Morrison), and with items measured in units of √(C_ii + λ) a tolerance means the same at any
scale.

W_i differs from item to item, so that a solve for each would cost items⁴ / 3. But XᵀW_iX = wC +
(1 − w)X_UᵀX_U with U the users of i, and P = (wCT + λI)⁻¹ is one inverse for all. Preconditioned by P
the matrix is I + (1 − w)X_UᵀX_U·TP, whose condition number (T = I) is at most 1/w whatever the data, as
X_UᵀX_U ≤ C. So a Krylov method meets any tolerance in about ½·ln(2/ε)/√w steps, and all items of a block
take a step together: the cost of a step is one product with P and the clicks of each item's users.

With denoising a (see ``penalties``) λI becomes Λ_i = λI + a·diag(XᵀW_iX), and P (wC + wa·diag(C) + λI)⁻¹, so
that the bound on the condition number stands; in θ_i, λ becomes Λ_i's entry of i. User weights: X is W^½X.

In all: items³ flops for P and 2·items³ + 4·Σ_u n_u² per step.
"""

from copy import copy
from dataclasses import asdict, dataclass, replace
from typing import ClassVar

import numpy as np
from scipy.sparse import csc_array

from isotherm.checks import above, at_least, auto_or_above, between, seeded
from isotherm.data import Interactions, Items
from isotherm.kernels import kernel
from isotherm.linalg.csr import groups_of, select_columns
from isotherm.linalg.gmres import gmres
from isotherm.linalg.ridge_inverse import RidgeInverse
from isotherm.models.fit_inputs import FitOptions
from isotherm.models.linear.auto import learn_penalties, mean_square
from isotherm.models.linear.ease import EASE
from isotherm.models.linear.item_weights import DenseWeights, ItemItem
from isotherm.models.linear.penalties import Asked, Penalized, Penalties, penalty_setting
from isotherm.progress import expect_stages, stage
from isotherm.state import Inner
from isotherm.threads import run_bands
from isotherm.types import Array, Float32, Float64, ItemIndex, ItemWeights, UserItems

_BLOCK_BYTES = 256 * 2**20  # of Krylov vectors
_KRYLOV_VECTORS = 16  # of a column, for which a block has memory
_MAX_COLUMNS = 512  # of a block
_MAX_STEPS = 60


@dataclass(frozen=True)
class AlignedColumns:
    """αGD where D is not zero: the columns S, (s,), and the rows αD_S·G_S, (s, n_items)."""

    columns: ItemIndex
    similarities: Float32


class SLIM(Penalized, ItemItem):
    """Weighted SLIM: a ridge regression per column, in which clicks weigh more than their absence.

    Memory: two items × items matrices in float32.

    >>> from isotherm import Interactions, SLIM
    >>> from scipy.sparse import csr_array
    >>> x = csr_array([[1, 1, 0], [1, 1, 1], [1, 0, 0]])
    >>> clicks = Interactions.from_csr(x, ["ann", "bob", "cat"], ["tea", "cup", "pot"])
    >>> SLIM(l2=1.0).fit(clicks).recommend(["cat"], k=2)["item_id"].to_list()
    ['cup', 'pot']

    Parameters:
        l2 (> 0 or auto; default auto): λ₁, the ridge penalty of every weight (MARec, eq. 10); auto: what EASE
            learns on hidden clicks, in the units of SLIM.
        denoising (>= 0, auto or None; default None): a, the penalty of an item's weights in units of its
            squared clicks (EDLAE; Steck 2020); auto: what EASE learns; None: as l2, auto with it and else 0.
        user_power (in [0, 1], auto or None; default None): p, a user of n clicks weighs 1/nᵖ, scaled so that
            a click weighs 1 in the mean; auto and None as above.
        nonclick_weight (in (0, 1]; default 0.5): w₁, the weight of the users who did not click the column's
            item; the others weigh 1 (eq. 10).
        self_penalty (>= 0; default 800): γ₁, added to λ₁ for an item's weight on itself (eq. 10); where l2 is
            auto, in units of the mean squared click, as what is learned.
        tolerance (in (0, 1); default 1e-4): of each column's residual, relative, with items in units of
            their click vectors' lengths.
        seed (a whole number >= 0; default 0): of the hidden clicks.
    """

    name: ClassVar[str] = "slim"

    weights_: DenseWeights

    learned = (
        Inner("weights_", DenseWeights.empty),
        Penalties.declared("penalties_"),
    )

    def __init__(
        self,
        *,
        l2: float | str = "auto",
        denoising: float | str | None = None,
        user_power: float | str | None = None,
        nonclick_weight: float = 0.5,
        self_penalty: float = 800.0,
        tolerance: float = 1e-4,
        seed: int = 0,
    ) -> None:
        self.l2 = auto_or_above("l2", l2, 0)
        self.denoising = penalty_setting("denoising", denoising)
        self.user_power = penalty_setting("user_power", user_power)
        self.nonclick_weight = between("nonclick_weight", nonclick_weight, 0, 1, "(]")
        self.self_penalty = at_least("self_penalty", self_penalty, 0)
        self.tolerance = between("tolerance", tolerance, 0, 1, "()")
        self.seed = seeded("seed", seed)
        if not isinstance(self.l2, str):
            above("l2 / nonclick_weight", self.l2 / self.nonclick_weight, 0)

    def fit_memory(self, clicks: Interactions) -> float:
        return 2 * 4 * float(np.count_nonzero(clicks.item_clicks())) ** 2

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        expect_stages(3 + bool(self.asked.open))  # Gram matrix, inverse, columns; penalties
        warm = np.flatnonzero(clicks.item_clicks())
        user_items = select_columns(clicks.matrix, warm)
        slim = self.settled(user_items)
        weights = slim.solve_columns(user_items, slim.ridge_inverse(user_items))
        self.penalties_ = slim.penalties
        self.weights_ = DenseWeights.among(clicks.n_items, warm, weights)

    @property
    def asked(self) -> Asked:
        """What is given of λ₁, a and p."""
        return Asked.by_settings(self.l2, self.denoising, self.user_power, 0.0)

    @property
    def inverse_penalties(self) -> Penalties:
        """Of the inverse that all columns share: λ₁/w for λ₁."""
        return replace(self.penalties, l2=self.penalties.l2 / self.nonclick_weight)

    def settled(self, user_items: UserItems) -> "SLIM":
        """The same model with numbers for what is to be learned, from the clicks (n_users, n_items)."""
        asked = self.asked
        if not asked.open:
            return self
        unit = self.nonclick_weight**0.5  # users weigh 1 and w: between them EASE's λ is λ₁'s unit
        if asked.l2 is not None:
            asked = replace(asked, l2=asked.l2 / unit)
        learned = learn_penalties(user_items, asked, self.seed)
        settled = copy(self)
        settled.denoising, settled.user_power = learned.denoising, learned.user_power
        settled.l2 = unit * learned.l2 if asked.l2 is None else self.l2
        if asked.l2 is None:
            settled.self_penalty = self.self_penalty * mean_square(user_items)
        return settled

    def ridge_inverse(self, user_items: UserItems, gram: Float32 | None = None) -> RidgeInverse:
        """w·P = (C + λ/w·I)⁻¹, which all columns share: EASE's for λ/w.

        gram: C where the caller has it; it is overwritten.
        """
        return EASE(**asdict(self.inverse_penalties)).solve(user_items, gram)

    def solve_columns(
        self, user_items: UserItems, inverse: RidgeInverse, aligned: AlignedColumns | None = None
    ) -> ItemWeights:
        """Θ (n_items, n_items) for a click matrix (n_users, n_items) in which every item is clicked.

        inverse: of ``ridge_inverse``, updated for the aligned columns where there are some.
        """
        n_items = user_items.shape[1]
        systems = _ColumnSystems.of(self, self.penalties.weighted(user_items), inverse, aligned)
        weights = np.empty((n_items, n_items), dtype=np.float32)
        # columns of similar popularity meet the tolerance after a similar number of steps
        order = np.argsort(np.diff(systems.item_users.indptr), kind="stable")
        size = int(np.clip(_BLOCK_BYTES // (4 * _KRYLOV_VECTORS * n_items), 1, _MAX_COLUMNS))
        with stage("solve the columns", n_items, "items") as advance:
            for first in range(0, n_items, size):
                items = order[first : first + size]
                weights[:, items] = self._weights_from(
                    systems.solve(items, self.tolerance), items, systems.ridge[items]
                ).T
                advance(len(items))
        return weights

    def _weights_from(self, solved: Float32, items: ItemIndex, ridge: Float64) -> Float32:
        """θ_i = e_i − (Λ_ii + γ)·u/(1 + γu_i) of each row u = A_i⁻¹e_i, in place.  ridge: Λ_ii."""
        diagonal = np.arange(len(items)), items
        itself = solved[diagonal].astype(np.float64)
        damping = 1 / (1 + self.self_penalty * itself)
        solved *= (-(ridge + self.self_penalty) * damping).astype(np.float32)[:, None]
        solved[diagonal] = (1 - ridge * itself) * damping
        return solved


@dataclass(frozen=True)
class _ColumnSystems:
    """The systems A_i·u = e_i of all columns i, preconditioned by P and in units; vectors are rows.

    item_users: (n_users, n_items) CSC, the users of each item.  ridge: Λ_ii of each item i, (n_items,).
    units: (n_items,) float32 √(C_ii + Λ_ii); what is solved is D⁻¹AD⁻¹ with D = diag(units).
    nonclick_weight: w.  denoising: a.
    """

    user_items: UserItems
    item_users: csc_array
    inverse: RidgeInverse
    aligned: AlignedColumns | None
    ridge: Float64
    units: Float32
    nonclick_weight: np.float32
    denoising: np.float32

    @classmethod
    def of(
        cls, slim: SLIM, user_items: UserItems, inverse: RidgeInverse, aligned: AlignedColumns | None
    ) -> "_ColumnSystems":
        """From the arguments of ``solve_columns``."""
        item_users = csc_array(user_items)
        squares = np.square(item_users.data, dtype=np.float64)
        diagonal = np.bincount(groups_of(item_users.indptr), squares, minlength=item_users.shape[1])
        ridge = slim.penalties.ridge(diagonal)
        units = np.sqrt(diagonal + ridge).astype(np.float32)
        weights = np.float32(slim.nonclick_weight), np.float32(slim.penalties.denoising)
        return cls(user_items, item_users, inverse, aligned, ridge, units, *weights)

    def solve(self, items: ItemIndex, tolerance: float) -> Float32:
        """A_i⁻¹e_i of each of ``items``, (len(items), n_items)."""
        right = np.zeros((len(items), len(self.units)), dtype=np.float32)
        right[np.arange(len(items)), items] = 1

        def times(rows: Float32, systems: ItemIndex) -> Float32:
            return self.times(rows, items[systems])

        solved = self.preconditioned(gmres(times, right, tolerance, _MAX_STEPS))
        solved /= self.units[items, None]
        return solved

    def preconditioned(self, rows: Float32) -> Float32:
        """P·Dy of each row y of (m, n_items)."""
        scaled = rows * (self.units / self.nonclick_weight)
        return self.inverse.times(scaled, out=scaled)

    def times(self, rows: Float32, items: ItemIndex) -> Float32:
        """(I + (1 − w)D⁻¹(X_UᵀX_U·T + a·diag(X_UᵀX_U))PD)·y of each row y of (m, n_items).

        items: (m,) whose systems they are.
        """
        solved, out = self.preconditioned(rows), np.zeros_like(rows)
        mixed = solved
        if self.aligned is not None:
            mixed = solved + solved[:, self.aligned.columns] @ self.aligned.similarities
        clicks, users = self.user_items, self.item_users
        run_bands(
            _add_users_of_item, len(items), items, users.indptr, users.indices,
            clicks.indptr, clicks.indices, clicks.data,
            1 - self.nonclick_weight, self.denoising, mixed, solved, out,
        )  # fmt: skip
        out /= self.units
        out += rows
        return out


@kernel
def _add_users_of_item(
    first: int,
    last: int,
    items: Array,
    item_starts: Array,
    item_users: Array,
    starts: Array,
    columns: Array,
    values: Array,
    weight: float,
    denoising: float,
    mixed: Array,
    solved: Array,
    out: Array,
) -> None:
    """out += weight·(X_UᵀX_U·m + a·diag(X_UᵀX_U)·v) for each row m and v, U the users of its item."""
    for r in range(first, last):
        row, own, total = mixed[r], solved[r], out[r]
        for c in range(item_starts[items[r]], item_starts[items[r] + 1]):
            user = item_users[c]
            product = np.float32(0)
            for p in range(starts[user], starts[user + 1]):
                product += values[p] * row[columns[p]]
            product *= weight
            for p in range(starts[user], starts[user + 1]):
                total[columns[p]] += product * values[p]
            if denoising > 0:
                for p in range(starts[user], starts[user + 1]):
                    total[columns[p]] += weight * denoising * values[p] * values[p] * own[columns[p]]
