"""What an experiment is designed for."""

from dataclasses import dataclass

from isotherm.checks import above, between, seeded, truth, whole
from isotherm.experiment.analysis.options import AnalysisOptions

TRIM = AnalysisOptions.trim  #: share of users cut off at each end for trimmed means, as analyses do


@dataclass(frozen=True)
class DesignOptions:
    """Settings of a design. Raises ParameterError for a value out of its range.

    Parameters:
        effect (> 0; default 0.02): the relative effect that shall be told.
        power (in (0, 1); default 0.8): the chance of telling it.
        level (in (0, 1); default 0.95): of the two-sided test.
        traffic (in (0, 1]; default 1.0): share of the users who take part.
        treated (in (0, 1); default 0.5): share of these who get the treatment.
        cuped (true or false; default true): whether pre-period covariates are used.
        longest (whole number >= 1; default 180): days; beyond them an experiment is not worth planning.
        splits (whole number >= 0; default 500): experiments without any change that are tried on the log.
        most (whole number >= 100; default 50000): users that these are tried on, drawn where there are more.
        seed (whole number >= 0; default 0): of these.
    """

    effect: float = 0.02
    power: float = 0.8
    level: float = 0.95
    traffic: float = 1.0
    treated: float = 0.5
    cuped: bool = True
    longest: int = 180
    splits: int = 500
    most: int = 50_000
    seed: int = 0

    def __post_init__(self) -> None:
        above("effect", self.effect, 0)
        between("power", self.power, 0, 1, "()")
        between("level", self.level, 0, 1, "()")
        between("traffic", self.traffic, 0, 1, "(]")
        between("treated", self.treated, 0, 1, "()")
        truth("cuped", self.cuped)
        whole("longest", self.longest, 1)
        whole("splits", self.splits, 0)
        whole("most", self.most, 100)
        seeded("seed", self.seed)
