"""What EASE is penalized by, beside Steck's λ: three numbers that keep the closed form.

    P = (XᵀWX + Λ)⁻¹,  Λ = λI + a·diag(XᵀWX),  W = diag(w),  B = I − P·diag(m)

* a, denoising (EDLAE; Steck 2020, eq. 8-10): clicks are dropped at rate q and the whole history is to be
  rebuilt from what is left; in expectation a penalty of a = q/(1 − q) times an item's squared clicks.
* w_u = c/n_uᵖ, user weights: a user of n_u clicks counts n_u² in XᵀX, and one in a ranking. c leaves
  Σ w_u n_u at Σ n_u, so that λ keeps its unit.
* ξ, the relaxed diagonal (Moon et al. 2023, eq. 10): B_jj ≤ ξ in place of B_jj = 0, so that
  m_j = max(Λ_j, (1 − ξ)/P_jj). It moves no weight within a column: it lifts items of few clicks.

EASE is a = p = ξ = 0.
"""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from isotherm.checks import at_least, between, is_text
from isotherm.errors import ParameterError
from isotherm.linalg.csr import scale_rows
from isotherm.state import Plain
from isotherm.types import Array, Float64, UserItems
from isotherm.untrusted import Number, numbers


@dataclass(frozen=True)
class Penalties:
    """l2: λ.  denoising: a.  user_power: p.  relaxation: ξ."""

    l2: float
    denoising: float = 0.0
    user_power: float = 0.0
    relaxation: float = 0.0

    @classmethod
    def declared(cls, name: str) -> Plain:
        """What a saved model holds of them."""
        return Plain(name, numbers(cls, Number(least=0)), asdict, lambda given: cls(**given))

    def learned_settings(self, asked: "Asked", name: str) -> dict[str, float]:
        """Those that were to be learned.  name: of the attribute that holds them."""
        return {f"{name}.{field}": float(getattr(self, field)) for field in asked.open}

    def ridge(self, gram_diagonal: Array) -> Array:
        """Λ, (n_items,), of the dtype of ``gram_diagonal``."""
        kind = gram_diagonal.dtype.type
        return np.asarray(kind(self.l2) + kind(self.denoising) * gram_diagonal)

    def weighted(self, user_items: UserItems) -> UserItems:
        """W^½·X; X itself where all users count alike."""
        if not self.user_power:
            return user_items
        return scale_rows(user_items, np.sqrt(user_weights(user_items, self.user_power)).astype(np.float32))


@dataclass(frozen=True)
class Asked:
    """Penalties, None where they are to be learned."""

    l2: float | None = None
    denoising: float | None = None
    user_power: float | None = None
    relaxation: float | None = None

    @classmethod
    def by_settings(cls, l2: float | str, *others: float | str | None) -> "Asked":
        """From settings as a model has them: a number, "auto", or None for as l2."""
        closed = None if l2 == "auto" else 0.0
        values = (closed if value is None else value for value in others)
        return cls(*(None if isinstance(value, str) else value for value in (l2, *values)))

    @property
    def open(self) -> tuple[str, ...]:
        """What is to be learned."""
        return tuple(name for name, value in asdict(self).items() if value is None)

    def numbers(self, model: str) -> Penalties:
        """What is asked, where nothing is to be learned; ParameterError for ``model`` otherwise."""
        if self.open:
            raise ParameterError(
                f"{model}: {', '.join(self.open)} to be learned: settled(user_items) gives numbers"
            )
        return self.given(0)

    def given(self, l2: float) -> Penalties:
        """What is asked, 0 and ``l2`` for the rest."""
        return Penalties(
            l2 if self.l2 is None else self.l2,
            self.denoising or 0.0,
            self.user_power or 0.0,
            self.relaxation or 0.0,
        )


class Penalized(ABC):
    """A model with penalties, numbers or to be learned.

    penalties_: those in use, after a fit.
    """

    name: ClassVar[str]
    penalties_: Penalties

    @property
    @abstractmethod
    def asked(self) -> Asked:
        """What is given of them."""

    @property
    def penalties(self) -> Penalties:
        """Them where none is to be learned; ParameterError otherwise."""
        return self.asked.numbers(self.name)

    def learned_settings(self) -> dict[str, float]:
        """Those that were learned; empty before a fit."""
        if not hasattr(self, "penalties_"):
            return {}
        return self.penalties_.learned_settings(self.asked, "penalties_")


def penalty_setting(name: str, value: Any) -> float | str | None:
    """``value`` as a number, "auto" or None for as l2, or ParameterError.  name: of a field of Penalties."""
    if value is None or is_text(value, "auto"):
        return None if value is None else "auto"
    if name == "denoising":
        return at_least(name, value, 0)
    return between(name, value, 0, 1, "[)" if name == "relaxation" else "[]")


def user_weights(user_items: UserItems, power: float) -> Float64:
    """w, (n_users,): 1 / clicksᵖ, scaled so that a click weighs 1 in the mean.

    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from isotherm.models.linear.penalties import user_weights
    >>> user_weights(csr_array(np.float32([[1, 0, 0, 0], [1, 1, 1, 1]])), 0.5).round(3)
    array([1.667, 0.833])
    """
    n_clicks = np.maximum(np.diff(user_items.indptr), 1).astype(np.float64)
    weights = n_clicks**-power
    total = float(weights @ np.diff(user_items.indptr))
    return np.asarray(weights * (user_items.nnz / total if total else 1.0))
