"""Whether the latent space is used: KL and its two parts, active units, rank, and a verdict in words.

E KL(q(z|x) ‖ p) = I(X; Z) + KL(q(z) ‖ p): what the code says of the user, and how far all users together are
from the prior (Hoffman and Johnson 2016). q(z) is estimated as the mixture of the users at hand, so the
information can be no more than the logarithm of their number, and is «saturated» near it.
"""

from dataclasses import dataclass

import numpy as np

from isotherm.geometry.posteriors import Posteriors
from isotherm.streams import stream
from isotherm.types import Float64

_ACTIVE = 0.01  # variance of a unit's mean (Burda, Grosse and Salakhutdinov 2016)
_LEAST_KL = 0.5  # nats over all dimensions: below, a posterior says next to nothing
_FEW = 0.05  # share of active units
_HALF = 0.5


@dataclass(frozen=True)
class Collapse:
    """kl: E KL(q ‖ N(0, I)), nats; None on a DAE.  by_unit: (latent,) its part of each dimension, or None.

    information: estimate of I(X; Z), nats, at most ``most`` = log(users looked at).
    gap: KL(q(z) ‖ p), the rest of kl.
    variances: (latent,) of the mean of each unit between users.  active: units whose variance is above 0.01.
    rank: effective rank of the means, exp of the entropy of the shares of their covariance's eigenvalues (Roy
    and Vetterli 2007).  latent: units there are.
    """

    latent: int
    active: int
    rank: float
    variances: Float64
    kl: float | None
    by_unit: Float64 | None
    information: float | None
    gap: float | None
    most: float

    @property
    def state(self) -> str:
        """One of "collapsed", "partly collapsed", "alive"."""
        if self.active <= _FEW * self.latent or (self.kl is not None and self.kl < _LEAST_KL):
            return "collapsed"
        return "partly collapsed" if self.active < _HALF * self.latent else "alive"

    @property
    def verdict(self) -> str:
        """One sentence."""
        units = f"{self.active} of {self.latent} units carry something of the user"
        nats = "" if self.kl is None else f", {self.kl:.1f} nats a user"
        said = {
            "collapsed": "The posterior has collapsed onto the prior",
            "partly collapsed": "Part of the latent space has collapsed",
            "alive": "The latent space is in use",
        }
        return f"{said[self.state]}: {units}{nats}; their effective rank is {self.rank:.0f}."


def measure_collapse(posteriors: Posteriors, most_users: int = 5000, seed: int = 0) -> Collapse:
    """Of these users; information and gap from at most ``most_users`` of them, one z each."""
    mean = posteriors.mean.astype(np.float64)
    variances = mean.var(axis=0)
    shares = np.linalg.eigvalsh(np.cov(mean, rowvar=False, bias=True).reshape(len(variances), -1)).clip(0)
    total = shares.sum()
    shares = shares[shares > 0] / (total or 1.0)
    rank = float(np.exp(-(shares * np.log(shares)).sum())) if total > 0 else 0.0
    kl = by_unit = information = gap = None
    chosen = np.arange(len(mean))
    if len(mean) > most_users:
        chosen = np.sort(stream(seed, "users of the information").permutation(len(mean))[:most_users])
    if posteriors.deviation.any():
        deviation = posteriors.deviation.astype(np.float64).clip(1e-30)
        by_unit = (0.5 * (mean**2 + deviation**2 - 1) - np.log(deviation)).mean(axis=0)
        kl = float(by_unit.sum())
        information = _information(mean[chosen], deviation[chosen], seed)
        gap = kl - information
    return Collapse(
        len(variances),
        int((variances > _ACTIVE).sum()),
        rank,
        variances,
        kl,
        by_unit,
        information,
        gap,
        float(np.log(len(chosen))),
    )


def _information(mean: Float64, deviation: Float64, seed: int) -> float:
    """E log q(z|x) − log mean_j q(z|x_j), one z a user, (n_users, n_users) densities a block at a time."""
    z = mean + deviation * stream(seed, "points of the information").standard_normal(mean.shape)
    precision = deviation**-2
    constant = (mean**2 * precision + 2 * np.log(deviation)).sum(axis=1)
    gained = 0.0
    for first in range(0, len(z), 512):
        block = z[first : first + 512]
        rows = np.arange(len(block))
        logs = -0.5 * ((block**2) @ precision.T - 2 * block @ (mean * precision).T + constant)
        highest = logs.max(axis=1)
        mixture = highest + np.log(np.exp(logs - highest[:, None]).mean(axis=1))
        gained += float((logs[rows, first + rows] - mixture).sum())
    return gained / len(z)
