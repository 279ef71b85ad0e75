"""Whether the arms have the users that the plan gives them: the first question of every analysis.

Pearson's chi-square test of the users in each arm against the plan's weights. An arm with too few users has
lost some of them, and not at random: no figure of such an experiment can be believed (Fabijan et al. 2019).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from isotherm.errors import ParameterError


@dataclass(frozen=True)
class SampleRatio:
    """Users in each arm, and how likely so uneven a number is by chance."""

    arms: tuple[str, ...]
    users: tuple[int, ...]
    expected: tuple[float, ...]  #: users by the plan's weights
    statistic: float  #: chi-square
    p: float
    level: float  #: below which there is a mismatch
    untested: int = 0  #: users whom other weights drew, before these were changed; they are in no number here

    @property
    def mismatch(self) -> bool:
        """Whether the arms are too uneven to go on."""
        return self.p < self.level

    @property
    def words(self) -> str:
        """One sentence."""
        told = ", ".join(
            f"{arm} {n:,} (expected {wanted:,.0f})"
            for arm, n, wanted in zip(self.arms, self.users, self.expected, strict=True)
        )
        if self.untested:
            told += (
                "; of the users since the weights were changed last: "
                f"the {self.untested:,} before were drawn by others, so "
                "if what users do changes over time, that can look like an effect"
            )
        if not self.mismatch:
            return f"The arms have the users that the plan gives them: {told}; p = {self.p:.3g}."
        return (
            f"Sample ratio mismatch: {told}; p = {self.p:.2g}. Users were lost or counted twice, so no "
            "figure of this experiment can be believed: find out why before reading on."
        )


def sample_ratio(
    arms: Sequence[str],
    users: Sequence[int],
    weights: Sequence[float],
    level: float = 0.001,
    untested: int = 0,
) -> SampleRatio:
    """The test of users in each arm against weights of any sum. Raises ParameterError.

    untested: how many more there are whom other weights drew.

    Arms of weight 0 take no new users: theirs came before, and are not tested.
    """
    share, counts = np.asarray(weights, dtype=float), np.asarray(users, dtype=float)
    if len(share) != len(counts) or not (np.isfinite(share).all() and (share >= 0).all() and share.sum()):
        raise ParameterError(
            f"weights must be {len(counts)} numbers of at least 0, one for each arm, not all 0"
        )
    open_ = share > 0
    expected = np.where(open_, counts[open_].sum() * share / share.sum(), counts)
    statistic, p = 0.0, 1.0
    if open_.sum() > 1 and counts[open_].sum():
        test = stats.chisquare(counts[open_], expected[open_])
        statistic, p = float(test.statistic), float(test.pvalue)
    told = tuple(arms), tuple(map(int, users)), tuple(map(float, expected))
    return SampleRatio(*told, statistic, p, level, untested)


def power_of_mismatch(users: int, weights: Sequence[float], lost: float, level: float = 0.001) -> float:
    """The chance that the test tells when the last arm loses a share of its users.

    users: that were assigned, to all arms together.  lost: share of the last arm's users, in (0, 1).
    """
    share = np.asarray(weights, dtype=float) / sum(weights)
    seen = users * share
    seen[-1] *= 1 - lost
    expected = seen.sum() * share
    shift = float(((seen - expected) ** 2 / expected).sum())
    degrees = len(share) - 1
    return float(stats.ncx2.sf(stats.chi2.isf(level, degrees), degrees, shift))
