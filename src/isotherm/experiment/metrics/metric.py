"""A metric of an experiment: which columns of users it reads, and which way is better."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from isotherm.checks import between, one_of
from isotherm.errors import ParameterError, brief
from isotherm.experiment.log.users import DERIVED, MEASURES, Users
from isotherm.types import Float64

COVERAGE = "items"  #: numerator of a metric that counts the distinct items an arm has shown


@dataclass(frozen=True)
class Metric:
    """A mean over users (Σ numerator / n), a ratio of sums (Σ numerator / Σ denominator), or coverage.

    The unit is always the user: what one user does in many impressions is one observation.
    Raises ParameterError for a name that is no column of users, and for what cannot be meant.
    """

    name: str
    numerator: str  #: a column of users, or "items": the distinct items that an arm has shown
    denominator: str | None = None  #: a column of users; None for a mean
    #: columns of the time before, for CUPED; for a ratio those like its numerator and its denominator
    covariates: tuple[str, ...] = ()
    robust: Literal["winsorised", "trimmed"] | None = None  #: how far-out users are tamed
    role: Literal["goal", "guardrail"] = "goal"
    wanted: Literal["up", "down"] = "up"
    margin: float = 0.0  #: of a guardrail: relative loss that is tolerated, 0.02 for 2%

    def __post_init__(self) -> None:
        known = MEASURES + DERIVED
        above = () if (self.numerator, self.denominator) == (COVERAGE, None) else (self.numerator,)
        for name in (*above, self.denominator, *self.covariates):
            if name not in (None, *known):
                raise ParameterError(
                    f"metric {brief(self.name)}: {brief(name)} is no column of users; "
                    f"they are {', '.join(known)}"
                )
        if self.robust is not None:
            one_of("robust", self.robust, ("winsorised", "trimmed"))
        one_of("role", self.role, ("goal", "guardrail"))
        one_of("wanted", self.wanted, ("up", "down"))
        between("margin", self.margin, 0, 1, "[)")
        if self.robust is not None and self.kind != "mean":
            raise ParameterError(f"metric {brief(self.name)}: only a mean can be {self.robust}")
        if self.covariates and len(self.covariates) != (2 if self.kind == "ratio" else 1):
            raise ParameterError(
                f"metric {brief(self.name)}: a mean has one covariate, a ratio one for each sum"
            )

    @property
    def kind(self) -> Literal["mean", "ratio", "coverage"]:
        """What is computed."""
        if self.numerator == COVERAGE:
            return "coverage"
        return "mean" if self.denominator is None else "ratio"

    def values(self, users: Users) -> tuple[Float64, Float64]:
        """(n_users,) numerator and denominator of each user; of a mean, the denominator is 1.

        Winsorised where the metric is. Raises ParameterError for coverage, which is no sum over users.
        """
        if self.kind == "coverage":
            raise ParameterError(f"metric {brief(self.name)} counts items; no user has a share of it")
        read = users.capped if self.robust == "winsorised" else users.column
        below = np.ones(len(users)) if self.denominator is None else users.column(self.denominator)
        return read(self.numerator), below
