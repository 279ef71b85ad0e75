"""Learns what each metadata field is worth from the ranking of pseudo-cold items.

With P = (K + I)⁻¹, K = Σ_f μ_f K_f + μ₀, the kernel ridge prediction for item j *without j's own clicks* is

    ŷ_uj = y_uj − (Y·P)_uj / P_jj                                                      (leave-one-out)

so that one inverse makes every warm item a brand-new one. μ is fitted by gradient (L-BFGS over log μ) to what
is then asked: the likelihood of each user's clicks under softmax_j(t·ŷ_uj + b·g_j), a ranking of all items,
where g_j is the expected log-popularity, a kernel ridge of its own with weights ν. Gradients are closed-form:
with V = Y·P, p = diag(P) and Γ = ∂loss/∂ŷ,

    ∂loss/∂P = Yᵀ(−Γ/p) + diag(Σ_u Γ∘V/p²)   and   ∂loss/∂K = −P·∂loss/∂P·P,

which needs only products with V. A sample of items and users is enough: there are some dozens of weights.
Most steps are taken on a part of it (``descent``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from isotherm.linalg.cholesky import invert_in_place
from isotherm.models.kernel_ridge.descent import Box, Loss, descend, refine
from isotherm.models.kernel_ridge.learning_sample import LearningSample
from isotherm.progress import Advance
from isotherm.types import Float32, Float64, Scores, UserItems

_LOG_BOUNDS = (-16.0, 3.0)  # of log μ: above, float32 loses the ridge
_TEMPERATURE_BOUNDS = (-6.0, 20.0)  # of log t
_POPULARITY_BOUNDS = (0.0, 3.0)  # of b
_SCALE_BOUNDS = (_TEMPERATURE_BOUNDS, _POPULARITY_BOUNDS)
_EQUAL_VARIANCE = 4.0  # the ridges that are tried are a sixteenth to a half of it
_RIDGES = (0.01, 0.03, 0.1, 0.3)  # starts: ridge over mean row sum of Σ_f K_f
_LOGIT_DEVIATIONS = (0.5, 1.0, 2.0, 4.0)  # starts: standard deviation of t·ŷ
_LEAST_PROBABILITY = np.float32(1e-30)
_FINE_STEPS = 4  # on all of a sample, after those on a part


@dataclass(frozen=True, eq=False)
class KernelWeights:
    """What was learned.

    taste, popularity: μ and ν, (n_terms + 1,), one a kernel and the constant's last.
    inverse_temperature, popularity_weight: t and b of the ranking of all items.
    """

    taste: Float64
    popularity: Float64
    inverse_temperature: float
    popularity_weight: float


class SampledKernel:
    """K + I over the sampled items for any μ, its inverse, and a loss's gradient with respect to log μ.

    terms: (n_terms, n, n) float32, K_f among the items.
    """

    def __init__(self, terms: Float32) -> None:
        self.n_terms, self.n = terms.shape[:2]
        self._flat = terms.reshape(self.n_terms, -1)
        row_sum = max(float(terms.sum(axis=(1, 2), dtype=np.float64).sum()) / self.n, 1e-12)
        #: log μ of equal weights, by ridge; kernels that are zero everywhere leave them at the upper bound
        self.equal_weights = {
            ridge: np.full(self.n_terms + 1, np.clip(-np.log(ridge * row_sum), *_LOG_BOUNDS))
            for ridge in _RIDGES
        }

    def inverse(self, log_weights: Float64) -> Float32:
        """P = (K + I)⁻¹, (n, n)."""
        weights = np.exp(log_weights).astype(np.float32)
        kernel: Float32 = (weights[:-1] @ self._flat).reshape(self.n, self.n)
        kernel += weights[-1]
        kernel.flat[:: self.n + 1] += 1
        invert_in_place(kernel)
        return kernel

    def gradient(self, by_kernel: Float32, log_weights: Float64) -> Float64:
        """∂loss/∂log μ from ∂loss/∂K."""
        by_weight = np.append(self._flat @ by_kernel.ravel(), by_kernel.sum(dtype=np.float64))
        by_log_weight: Float64 = by_weight * np.exp(log_weights)
        return by_log_weight


def popularity_loss(kernel: SampledKernel, log_clicks: Float32) -> Loss:
    """Squared leave-one-out error of log-popularity (n,), over its variance, as a function of log ν."""
    variance = max(float(np.square(log_clicks).mean()), 1e-12)

    def loss(log_weights: Float64) -> tuple[float, Float64]:
        inverse = kernel.inverse(log_weights)
        solved, diagonal = inverse @ log_clicks, np.diag(inverse).copy()
        error = solved / diagonal
        by_prediction = 2 * error / (variance * len(log_clicks))
        by_kernel = -np.outer(inverse @ (by_prediction / diagonal), solved)
        by_kernel += (inverse * (by_prediction * solved / diagonal**2)) @ inverse
        return float(np.square(error).mean() / variance), kernel.gradient(by_kernel, log_weights)

    return loss


@dataclass(frozen=True, eq=False)
class _LeaveOneOut:
    """inverse: P.  diagonal: p.  solved: V = Y·P.  predictions: ŷ, (n_users, n)."""

    inverse: Float32
    diagonal: Float32
    solved: Float32
    predictions: Scores


@dataclass(frozen=True, eq=False)
class _Ranking:
    """loss: −Σ of the log-likelihoods.  probabilities: of each item to be the next click, (n_users, n)."""

    loss: float
    probabilities: Float32


class TasteLoss:
    """How unlikely each user's clicks are under softmax_j(t·ŷ_uj + b·g_j): of x = (log μ, log t, b).

    user_items: (n_users, n), no empty row.  expected: g (n,), log-popularity without own clicks.
    """

    def __init__(self, kernel: SampledKernel, user_items: UserItems, expected: Float32) -> None:
        self._kernel, self._expected = kernel, expected
        clicks = (user_items.toarray() > 0).astype(np.float32)
        lengths = clicks.sum(axis=1, keepdims=True)
        self._histories = clicks * (lengths.mean() / lengths)
        self._targets = clicks / (lengths * len(clicks))  # a user's sum up to 1 / n_users

    def __call__(self, x: Float64) -> tuple[float, Float64]:
        """Loss and gradient."""
        log_weights, scale = x[:-2], x[-2:]
        left_out = self._leave_one_out(log_weights)
        ranking = self._rank(left_out.predictions, scale)
        by_logit = ranking.probabilities * np.float32(1 / len(ranking.probabilities)) - self._targets
        by_prediction = by_logit * np.float32(np.exp(scale[0]))
        inverse, diagonal, solved = left_out.inverse, left_out.diagonal, left_out.solved
        left = solved.T @ (by_prediction / diagonal)
        left -= inverse * ((by_prediction * solved).sum(axis=0) / diagonal**2)
        by_kernel = left @ inverse
        by_scale = [
            float(np.vdot(by_prediction, left_out.predictions)),
            float((by_logit @ self._expected).sum()),
        ]
        return ranking.loss, np.append(self._kernel.gradient(by_kernel, log_weights), by_scale)

    def start(self) -> Float64:
        """The best x with equal weights."""
        starts = []
        for log_weights in self._kernel.equal_weights.values():
            predictions = self._leave_one_out(log_weights).predictions
            for deviation in _LOGIT_DEVIATIONS:
                scale = np.array([np.log(deviation / max(float(predictions.std()), 1e-12)), 1.0])
                starts.append((self._rank(predictions, scale).loss, np.append(log_weights, scale)))
        return min(starts, key=lambda start: start[0])[1]

    def best_scale(self, log_weights: Float64) -> Float64:
        """log t and b, (2,), for these weights."""
        predictions = self._leave_one_out(log_weights).predictions

        def loss(scale: Float64) -> tuple[float, Float64]:
            ranking = self._rank(predictions, scale)
            by_logit = ranking.probabilities * np.float32(1 / len(predictions)) - self._targets
            by_t = float(np.vdot(by_logit, predictions)) * np.exp(scale[0])
            return ranking.loss, np.array([by_t, float((by_logit @ self._expected).sum())])

        deviation = max(float(predictions.std()), 1e-12)
        starts = [np.array([np.log(each / deviation), 1.0]) for each in _LOGIT_DEVIATIONS]
        start = np.clip(min(starts, key=lambda scale: loss(scale)[0]), *np.transpose(_SCALE_BOUNDS))
        solution = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=_SCALE_BOUNDS)
        return np.asarray(solution.x)

    def _leave_one_out(self, log_weights: Float64) -> _LeaveOneOut:
        inverse = self._kernel.inverse(log_weights)
        diagonal = np.diag(inverse).copy()
        solved = self._histories @ inverse
        return _LeaveOneOut(inverse, diagonal, solved, self._histories - solved / diagonal)

    def _rank(self, predictions: Scores, scale: Float64) -> _Ranking:
        """scale: log t and b."""
        logits = np.float32(np.exp(scale[0])) * predictions + np.float32(scale[1]) * self._expected
        logits -= logits.max(axis=1, keepdims=True)
        probabilities = np.exp(logits, out=logits)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        log_likelihoods = np.log(np.maximum(probabilities, _LEAST_PROBABILITY))
        return _Ranking(-float(np.vdot(self._targets, log_likelihoods)), probabilities)


def learn_kernel_weights(
    sample: LearningSample, steps: int, advance: Advance = lambda steps: None
) -> KernelWeights:
    """Kernels for taste and for popularity; equal weights where there are no users.

    Of a large sample the steps are taken on a part, where they cost a fourth to an eighth, and a few more on
    all of it.
    steps: of L-BFGS, for either kernel.  advance: told of each.
    """
    samples = sample.coarse_to_fine()
    kernels = [SampledKernel(each.terms) for each in samples]
    if not sample.user_items.shape[0]:
        equal = np.exp(kernels[-1].equal_weights[_RIDGES[-1]])
        return KernelWeights(equal, equal, 1.0, 1.0)
    both = list(zip(kernels, samples, strict=True))
    errors = [popularity_loss(kernel, each.log_clicks) for kernel, each in both]
    start = min(kernels[0].equal_weights.values(), key=lambda log_weights: errors[0](log_weights)[0])
    popularity = np.exp(_least(errors, _box(start), steps, advance))
    losses = [
        TasteLoss(kernel, each.user_items, _leave_one_out(kernel, popularity, each.log_clicks))
        for kernel, each in both
    ]
    x = _least(losses, _box(losses[0].start(), *_SCALE_BOUNDS), steps, advance)
    return KernelWeights(np.exp(x[:-2]), popularity, float(np.exp(x[-2])), float(x[-1]))


def towards_equal(learned: KernelWeights, sample: LearningSample, share: float) -> KernelWeights:
    """The taste kernel with log μ moved this share of the way to equal weights; t and b are learned anew.

    Under equal weights the mean k_jj of the items is ``_EQUAL_VARIANCE``, in units of the ridge.
    """
    variances = np.einsum("tjj->t", sample.terms, dtype=np.float64) / sample.terms.shape[1]
    equal = np.log(_EQUAL_VARIANCE / max(float(variances.sum()), 1e-12))
    moved = np.clip((1 - share) * np.log(learned.taste) + share * equal, *_LOG_BOUNDS)
    kernel = SampledKernel(sample.terms)
    loss = TasteLoss(kernel, sample.user_items, _leave_one_out(kernel, learned.popularity, sample.log_clicks))
    scale = loss.best_scale(moved)
    return KernelWeights(np.exp(moved), learned.popularity, float(np.exp(scale[0])), float(scale[1]))


def _leave_one_out(kernel: SampledKernel, weights: Float64, y: Float32) -> Float32:
    """Kernel ridge prediction of each y_j (n,) without y_j."""
    inverse = kernel.inverse(np.log(weights))
    return np.asarray(y - (inverse @ y) / np.diag(inverse), dtype=np.float32)


def _least(losses: Sequence[Loss], box: Box, steps: int, advance: Advance) -> Float64:
    """The x of least loss; the losses are of a part of the sample and of all of it, or of this alone."""
    found = descend(losses[0], box, steps, advance)
    return refine(losses[1], box, found, min(_FINE_STEPS, steps)) if len(losses) > 1 else found.x


def _box(start: Float64, *more_bounds: tuple[float, float]) -> Box:
    """more_bounds: of what follows log μ in x."""
    n_weights = len(start) - len(more_bounds)
    return Box.around(start, np.array([*([_LOG_BOUNDS] * n_weights), *more_bounds]), n_weights)
