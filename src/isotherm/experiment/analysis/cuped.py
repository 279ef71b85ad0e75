"""What of a difference between two arms was there before the experiment, taken away (CUPED).

Deng, Xu, Kohavi and Walker 2013. The coefficients are those that give the difference its smallest variance,
(Σ_c/n_c + Σ_t/n_t)⁻¹ (σ_c/n_c + σ_t/n_t), where Σ is the covariance of the covariates in an arm and σ that
between them and the metric. Doing nothing is among the choices, so it never makes an interval wider; one
slope pooled over arms of unequal size and variance could (Freedman 2008; Lin 2013).
"""

from dataclasses import dataclass

import numpy as np

from isotherm.experiment.analysis.samples import Sample
from isotherm.types import Float64

_RANK = 1e-10  # eigenvalues of the covariates' correlation below this count as none


@dataclass(frozen=True)
class ArmValue:
    """A metric in one arm, less what its covariates tell."""

    n: int  #: users
    value: float
    unit: float  #: variance between users

    @property
    def variance(self) -> float:
        """Of the value."""
        return self.unit / self.n if self.n else np.nan


@dataclass(frozen=True, eq=False)
class Pair:
    """Two arms on one metric, after CUPED."""

    control: ArmValue
    treatment: ArmValue
    covariance: Float64  #: (2, 2) of the two values, control first
    coefficients: Float64  #: (n_covariates,)
    plain_variance: float  #: of the difference without CUPED

    @property
    def difference(self) -> float:
        """Treatment minus control."""
        return self.treatment.value - self.control.value

    @property
    def variance(self) -> float:
        """Of the difference."""
        return self.control.variance + self.treatment.variance

    @property
    def variance_kept(self) -> float:
        """Share of the difference's variance that CUPED leaves; 1 where nothing varies."""
        return self.variance / self.plain_variance if self.plain_variance > 0 else 1.0

    @property
    def degrees(self) -> float:
        """Of freedom, by Welch and Satterthwaite."""
        arms = (self.control, self.treatment)
        below = sum(arm.variance**2 / (arm.n - 1) for arm in arms)
        return self.variance**2 / below if below > 0 else float(sum(arm.n - 1 for arm in arms))


def pair(control: Sample, treatment: Sample) -> Pair:
    """Both arms, less what their covariates tell; without covariates, as they are."""
    share = control.n / (control.n + treatment.n)
    by_arm = [control.covariance / control.n, treatment.covariance / treatment.n]
    together = by_arm[0] + by_arm[1]
    slope = _coefficients(together)
    between = float(slope @ (control.covariates - treatment.covariates))
    explained = [float(slope @ each[1:, 0]) for each in by_arm]  # covariance of θ·x with the metric
    spread = float(slope @ together[1:, 1:] @ slope)
    mixed = share * explained[0] + (1 - share) * explained[1] - share * (1 - share) * spread
    of_control = by_arm[0][0, 0] - 2 * (1 - share) * explained[0] + (1 - share) ** 2 * spread
    of_treatment = by_arm[1][0, 0] - 2 * share * explained[1] + share**2 * spread
    return Pair(
        ArmValue(control.n, control.value - (1 - share) * between, _unit(control, slope)),
        ArmValue(treatment.n, treatment.value + share * between, _unit(treatment, slope)),
        np.array([[of_control, mixed], [mixed, of_treatment]]),
        slope,
        float(together[0, 0]),
    )


def _coefficients(covariance: Float64) -> Float64:
    """θ of the joint covariance of a metric and its covariates; of those that tell nothing, 0."""
    scale = np.sqrt(np.diag(covariance)[1:])
    scale = np.where(scale > 0, scale, 1.0)
    correlation = covariance[1:, 1:] / np.outer(scale, scale)
    if not np.isfinite(covariance).all():
        return np.zeros(len(scale))
    return np.linalg.pinv(correlation, rcond=_RANK, hermitian=True) @ (covariance[1:, 0] / scale) / scale


def _unit(arm: Sample, slope: Float64) -> float:
    """Variance of one user's influence value less θ·x."""
    weights = np.concatenate([[1.0], -slope])
    return max(float(weights @ arm.covariance @ weights), 0.0)
