"""Learns what each metadata field is worth from the ranking of pseudo-cold items.

With P = (K + I)⁻¹, K = Σ_f μ_f K_f + μ₀, the kernel ridge prediction for item j *without j's own clicks* is

    ŷ_uj = y_uj − (Y·P)_uj / P_jj                                                      (leave-one-out)

so that one inverse makes every warm item a brand-new one. μ is fitted by gradient (L-BFGS over log μ) to what
is then asked: the likelihood of each user's clicks under softmax_j(t·ŷ_uj + b·g_j), a ranking of all items,
where g_j is the expected log-popularity, a kernel ridge of its own. Gradients are closed-form:
with V = Y·P, p = diag(P) and Γ = ∂loss/∂ŷ,

    ∂loss/∂P = Yᵀ(−Γ/p) + diag(Σ_u Γ∘V/p²)   and   ∂loss/∂K = −P·∂loss/∂P·P,

which needs only products with V. A sample of items and users is enough: there are some dozens of weights.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_array

from isotherm.linalg.cholesky import NotPositiveDefiniteError, invert_in_place
from isotherm.types import Float32, Float64

_LEAST, _LARGEST = -16.0, 3.0  # of log μ: above, float32 loses the ridge
_PULL = 1e-3  # towards equal weights: decides where the data does not
_RIDGES = (0.01, 0.03, 0.1, 0.3)  # starts: ridge over mean row sum of Σ_f K_f
_SPREADS = (0.5, 1.0, 2.0, 4.0)  # starts: spread of the scores
_TINY = np.float32(1e-30)
_POPULARITY_ITEMS = 1_000  # one target instead of hundreds: fewer items are enough

Gradient = Callable[[Float64], tuple[float, Float64]]


@dataclass(frozen=True)
class Learned:
    """μ and ν, one weight a kernel and the constant's last; t and b of the ranking of all items."""

    taste: Float64
    popularity: Float64
    sharpness: float
    share: float


class SampledKernel:
    """K + I over the sampled items for any μ, its inverse, and a loss's gradient with respect to log μ."""

    def __init__(self, terms: Float32) -> None:
        self.n_terms, self.n = terms.shape[:2]
        self._flat = terms.reshape(self.n_terms, -1)
        total = max(float(terms.sum(axis=(1, 2), dtype=np.float64).sum()) / self.n, 1e-12)
        #: kernels that are zero everywhere leave the weights as large as they may be
        starts = {ridge: np.clip(-np.log(ridge * total), _LEAST, _LARGEST) for ridge in _RIDGES}
        self.equal = {ridge: np.full(self.n_terms + 1, start) for ridge, start in starts.items()}

    def inverse(self, logs: Float64) -> Float32:
        """P = (K + I)⁻¹, (n, n)."""
        weights = np.exp(logs).astype(np.float32)
        kernel: Float32 = (weights[:-1] @ self._flat).reshape(self.n, self.n)
        kernel += weights[-1]
        kernel.flat[:: self.n + 1] += 1
        invert_in_place(kernel)
        return kernel

    def gradient(self, by_kernel: Float32, logs: Float64) -> Float64:
        """∂loss/∂log μ from ∂loss/∂K."""
        by_weight = np.append(self._flat @ by_kernel.ravel(), by_kernel.sum(dtype=np.float64))
        slopes: Float64 = by_weight * np.exp(logs)
        return slopes


def popularity_loss(kernel: SampledKernel, log_clicks: Float32) -> Gradient:
    """Squared leave-one-out error of log-popularity (n,), over its variance, and its gradient in log ν."""
    scale = max(float(np.square(log_clicks).mean()), 1e-12)

    def loss(logs: Float64) -> tuple[float, Float64]:
        inverse = kernel.inverse(logs)
        solved, diagonal = inverse @ log_clicks, np.diag(inverse).copy()
        error = solved / diagonal
        slope = 2 * error / (scale * len(log_clicks))
        by_kernel = -np.outer(inverse @ (slope / diagonal), solved)
        by_kernel += (inverse * (slope * solved / diagonal**2)) @ inverse
        return float(np.square(error).mean() / scale), kernel.gradient(by_kernel, logs)

    return loss


class TasteLoss:
    """How unlikely each user's clicks are under softmax_j(t·ŷ_uj + b·g_j): of x = (log μ, log t, b).

    user_items: (n_users, n) CSR, no empty row.  expected: g (n,), log-popularity without own clicks.
    """

    def __init__(self, kernel: SampledKernel, user_items: csr_array, expected: Float32) -> None:
        self._kernel, self._expected = kernel, expected
        clicks = (user_items.toarray() > 0).astype(np.float32)
        lengths = clicks.sum(axis=1, keepdims=True)
        self._histories = clicks * (lengths.mean() / lengths)
        self._aims = clicks / (lengths * len(clicks))

    def __call__(self, x: Float64) -> tuple[float, Float64]:
        """Loss and gradient."""
        logs, scale = x[:-2], x[-2:]
        inverse, diagonal, solved, scores = self._predicted(logs)
        value, chances = self._ranked(scores, scale)
        wrong = chances * np.float32(1 / len(chances)) - self._aims
        by_scores = wrong * np.float32(np.exp(scale[0]))
        by_kernel = solved.T @ ((by_scores / diagonal) @ inverse)
        by_kernel -= (inverse * ((by_scores * solved).sum(axis=0) / diagonal**2)) @ inverse
        of_scale = [float(np.vdot(by_scores, scores)), float((wrong @ self._expected).sum())]
        return value, np.append(self._kernel.gradient(by_kernel, logs), of_scale)

    def start(self) -> Float64:
        """The best x with equal weights."""
        tried = []
        for logs in self._kernel.equal.values():
            scores = self._predicted(logs)[-1]
            for spread in _SPREADS:
                scale = np.array([np.log(spread / max(float(scores.std()), 1e-12)), 1.0])
                tried.append((self._ranked(scores, scale)[0], np.append(logs, scale)))
        return min(tried, key=lambda each: each[0])[1]

    def _predicted(self, logs: Float64) -> tuple[Float32, ...]:
        """P, its diagonal, Y·P and the leave-one-out predictions ŷ."""
        inverse = self._kernel.inverse(logs)
        diagonal = np.diag(inverse).copy()
        solved = self._histories @ inverse
        return inverse, diagonal, solved, self._histories - solved / diagonal

    def _ranked(self, scores: Float32, scale: Float64) -> tuple[float, Float32]:
        """The loss, and the chance of each item to be the next click."""
        chances = np.float32(np.exp(scale[0])) * scores + np.float32(scale[1]) * self._expected
        chances -= chances.max(axis=1, keepdims=True)
        np.exp(chances, out=chances)
        chances /= chances.sum(axis=1, keepdims=True)
        return -float(np.vdot(self._aims, np.log(np.maximum(chances, _TINY)))), chances


def learn_weights(terms: Float32, user_items: csr_array, log_clicks: Float32, steps: int) -> Learned:
    """Kernels for taste and for popularity from a sample of items and users.

    terms: (n_terms, n, n) float32, K_f among the items.  user_items: (n_users, n) CSR, no empty row.
    log_clicks: (n,) centred.  steps: of the optimizer, for either kernel.
    Equal weights where there are no users.
    """
    kernel = SampledKernel(terms)
    if not user_items.shape[0]:
        equal = np.exp(kernel.equal[_RIDGES[-1]])
        return Learned(equal, equal, 1.0, 1.0)
    few = slice(None, None, -(-kernel.n // _POPULARITY_ITEMS))
    fewer = SampledKernel(terms[:, few, few])
    error = popularity_loss(fewer, log_clicks[few])
    start = min(fewer.equal.values(), key=lambda logs: error(logs)[0])
    popularity = np.exp(_descend(error, start, steps))
    loss = TasteLoss(kernel, user_items, _left_out(kernel, popularity, log_clicks))
    found = _descend(loss, loss.start(), steps, [(-6.0, 20.0), (0.0, 3.0)])
    return Learned(np.exp(found[:-2]), popularity, float(np.exp(found[-2])), float(found[-1]))


def _left_out(kernel: SampledKernel, weights: Float64, y: Float32) -> Float32:
    """Kernel ridge prediction of each y_j (n,) without y_j."""
    inverse = kernel.inverse(np.log(weights))
    return np.asarray(y - (inverse @ y) / np.diag(inverse), dtype=np.float32)


def _descend(loss: Gradient, start: Float64, steps: int, more: Sequence[tuple[float, float]] = ()) -> Float64:
    """The x of least loss and slight pull of log μ towards its start; ``more``: bounds of what follows μ."""
    bounds = [(_LEAST, _LARGEST)] * (len(start) - len(more)) + list(more)
    low, high = np.transpose(bounds)
    inside = np.clip(start, low, high)
    n_weights = len(start) - len(more)

    def pulled(x: Float64) -> tuple[float, Float64]:
        try:
            value, slope = loss(x)
        except NotPositiveDefiniteError:
            return np.inf, np.zeros_like(x)
        away = x - inside
        away[n_weights:] = 0
        slope += (2 * _PULL / n_weights) * away
        return value + _PULL / n_weights * float(away @ away), slope

    found = minimize(pulled, inside, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps})
    return np.asarray(found.x)
