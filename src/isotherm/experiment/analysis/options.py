"""How an experiment is analysed."""

from dataclasses import dataclass
from typing import Literal

from isotherm.checks import above, between, one_of, seeded, truth, whole


@dataclass(frozen=True)
class AnalysisOptions:
    """Settings of an analysis; none of them may be chosen after the data were seen.

    Raises ParameterError for a value out of its range.

    Parameters:
        level (in (0, 1); default 0.95): of intervals and of confidence sequences.
        prior_scale (> 0; default 0.05): standard deviation of the relative effects expected beforehand, of
            the Bayesian prior N(0, prior_scale²) and of the mixture of confidence sequences.
        worth (> 0; default 0.01): the smallest relative effect worth having.
        correction (holm or fdr; default holm): how p-values are corrected for arms and goals.
        replicates (whole number >= 0; default 1000): of the cluster bootstrap; 0 leaves it out.
        trim (in [0, 0.5); default 0.05): share of users cut off at each end for trimmed means.
        cuped (true or false; default true): whether pre-period covariates are used.
        longest (whole number >= 1; default 60): days; where a verdict needs more, it is undecided.
        mismatch_level (in (0, 1); default 0.001): p of the sample ratio below which nothing is reported.
        fewest (whole number >= 2; default 100): users of each arm from which confidence sequences begin.
        seed (whole number >= 0; default 0): of the bootstrap.
    """

    level: float = 0.95
    prior_scale: float = 0.05
    worth: float = 0.01
    correction: Literal["holm", "fdr"] = "holm"
    replicates: int = 1000
    trim: float = 0.05
    cuped: bool = True
    longest: int = 60
    mismatch_level: float = 0.001
    fewest: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        between("level", self.level, 0, 1, "()")
        above("prior_scale", self.prior_scale, 0)
        above("worth", self.worth, 0)
        one_of("correction", self.correction, ("holm", "fdr"))
        whole("replicates", self.replicates, 0)
        between("trim", self.trim, 0, 0.5, "[)")
        truth("cuped", self.cuped)
        whole("longest", self.longest, 1)
        between("mismatch_level", self.mismatch_level, 0, 1, "()")
        whole("fewest", self.fewest, 2)
        seeded("seed", self.seed)
