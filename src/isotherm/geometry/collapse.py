"""Whether the latent space is used: KL and what it is made of, active units, rank, and a verdict in words.

E KL(q(z|x) ‖ p) = I(X; Z) + KL(q(z) ‖ p): what the code says of the user, and how far all users together are
from the prior (Hoffman and Johnson 2016). q(z) is estimated as the mixture of the users at hand, so the
information can be no more than the logarithm of their number, and is «saturated» near it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from isotherm.geometry.posteriors import Posteriors
from isotherm.streams import stream
from isotherm.types import Float64, UserIndex

_ACTIVE = 0.01  # variance of a unit's mean (Burda, Grosse and Salakhutdinov 2016)
_LEAST_KL = 0.5  # nats over all dimensions: below, a posterior says next to nothing
_FEW = 0.05  # share of active units
_HALF = 0.5
_BLOCK = 512


@dataclass(frozen=True)
class Divergence:
    """The KL term of a VAE, in nats per user.

    by_unit: (latent,) E KL(q ‖ N(0, 1)) of each dimension.
    information: estimate of I(X; Z).
    """

    by_unit: Float64
    information: float

    @property
    def kl(self) -> float:
        """E KL(q ‖ N(0, I)) over all dimensions."""
        return float(self.by_unit.sum())

    @property
    def aggregated_gap(self) -> float:
        """KL(q(z) ‖ p), what is left of the KL: how far all users together are from the prior."""
        return self.kl - self.information


@dataclass(frozen=True)
class Collapse:
    """How much of the latent space is used.

    variances: (latent,) of the mean of each unit between users.
    rank: effective rank of the means, exp of the entropy of the shares of their covariance's eigenvalues (Roy
    and Vetterli 2007).
    most_information: nats that the estimate of the information can reach, log(users that it is made from).
    divergence: None on a DAE, whose posterior is a point.
    """

    variances: Float64
    rank: float
    most_information: float
    divergence: Divergence | None

    @property
    def units(self) -> int:
        """Dimensions there are."""
        return len(self.variances)

    @property
    def active(self) -> int:
        """Units whose variance is above 0.01."""
        return int((self.variances > _ACTIVE).sum())

    @property
    def kl(self) -> float | None:
        """E KL(q ‖ N(0, I)), nats per user; None on a DAE."""
        return None if self.divergence is None else self.divergence.kl

    @property
    def state(self) -> str:
        """One of "collapsed", "partly collapsed", "alive"."""
        if self.active <= _FEW * self.units or (self.kl is not None and self.kl < _LEAST_KL):
            return "collapsed"
        return "partly collapsed" if self.active < _HALF * self.units else "alive"

    @property
    def verdict(self) -> str:
        """One sentence."""
        units = f"{self.active} of {self.units} units carry something of the user"
        nats = "" if self.kl is None else f", {self.kl:.1f} nats per user"
        said = {
            "collapsed": "The posterior has collapsed onto the prior",
            "partly collapsed": "Part of the latent space has collapsed",
            "alive": "The latent space is in use",
        }
        return f"{said[self.state]}: {units}{nats}; their effective rank is {self.rank:.0f}."

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        d = self.divergence
        return {
            "verdict": self.verdict,
            "state": self.state,
            "kl": self.kl,
            "information": None if d is None else d.information,
            "information_at_most": self.most_information,
            "aggregated_gap": None if d is None else d.aggregated_gap,
            "active_units": self.active,
            "units": self.units,
            "effective_rank": self.rank,
        }


def measure_collapse(posteriors: Posteriors, most_users: int = 5000, seed: int = 0) -> Collapse:
    """Of these users; the information from at most ``most_users`` of them, one z each.

    >>> import numpy as np
    >>> from isotherm.geometry import Posteriors, measure_collapse
    >>> alike = Posteriors(np.zeros((200, 5), np.float32), np.ones((200, 5), np.float32))
    >>> measure_collapse(alike).state
    'collapsed'
    """
    mean = posteriors.mean.astype(np.float64)
    users = np.arange(len(mean))
    if len(mean) > most_users:
        users = np.sort(stream(seed, "users of the information").permutation(len(mean))[:most_users])
    divergence = _divergence(posteriors, users, seed) if posteriors.deviation.any() else None
    return Collapse(mean.var(axis=0), _effective_rank(mean), float(np.log(len(users))), divergence)


def _effective_rank(mean: Float64) -> float:
    """exp of the entropy of the shares of the covariance's eigenvalues; 0 where all users are alike."""
    covariance = np.cov(mean, rowvar=False, bias=True).reshape(mean.shape[1], -1)
    eigenvalues = np.linalg.eigvalsh(covariance).clip(0)
    total = eigenvalues.sum()
    if total <= 0:
        return 0.0
    shares = eigenvalues[eigenvalues > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _divergence(posteriors: Posteriors, users: UserIndex, seed: int) -> Divergence:
    """users: rows of those that the information is estimated from."""
    mean = posteriors.mean.astype(np.float64)
    deviation = posteriors.deviation.astype(np.float64).clip(1e-30)
    by_unit = (0.5 * (mean**2 + deviation**2 - 1) - np.log(deviation)).mean(axis=0)
    return Divergence(by_unit, _information(mean[users], deviation[users], seed))


def _information(mean: Float64, deviation: Float64, seed: int) -> float:
    """E log q(z|x) − log mean_j q(z|x_j), one z a user, (n_users, n_users) densities a block at a time."""
    z = mean + deviation * stream(seed, "points of the information").standard_normal(mean.shape)
    precision = deviation**-2
    constant = (mean**2 * precision + 2 * np.log(deviation)).sum(axis=1)
    total = 0.0
    for first in range(0, len(z), _BLOCK):
        block = z[first : first + _BLOCK]
        rows = np.arange(len(block))
        logs = -0.5 * ((block**2) @ precision.T - 2 * block @ (mean * precision).T + constant)
        mixture = logsumexp(logs, axis=1) - np.log(len(z))
        total += float((logs[rows, first + rows] - mixture).sum())
    return total / len(z)
