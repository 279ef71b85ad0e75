"""An experiment as it is declared: whom it takes, what its arms get, and when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from math import fsum

from isotherm.checks import between, one_of
from isotherm.errors import ParameterError, brief
from isotherm.experiment.plan.arms import INTERLEAVED, Arm, Exploration, check_name
from isotherm.experiment.plan.times import Ramp

KINDS = ("arms", "interleaving")
MOST_ARMS = 20  #: of an experiment


@dataclass(frozen=True)
class Experiment:
    """What is declared of an experiment; all of it checked when it is made.

    name: by which the log knows it.  arms: the first is the control.
    salt: of the hashes that choose users and their arms; None for the name.
    layer, span: users are spread over [0, 1) once for each layer, and those within span may take part:
    experiments of one layer have spans that do not overlap, so that no user is in two of them.
    ramp: which share of those takes part from when on.  holdout: of all users, who are in no experiment.
    overrides: testers, by the id as text -> arm, whatever their hash says.
    start, end: seconds since 1970; None for no bound.
    exploration: places of lists that are drawn; None for none.
    kind: "arms", or "interleaving" of two arms, whose lists are merged into one by team draft.
    Raises ParameterError that begins with the key of what is wrong.

    >>> from isotherm.experiment.plan import Arm, Experiment
    >>> Experiment("films", (Arm("control"), Arm("new", model="models/second"))).shares
    {'control': 0.5, 'new': 0.5}
    """

    name: str
    arms: tuple[Arm, ...]
    salt: str | None = None
    layer: str = "default"
    span: tuple[float, float] = (0.0, 1.0)
    ramp: Ramp = field(default_factory=Ramp)
    holdout: float = 0.0
    overrides: Mapping[str, str] = field(default_factory=dict)
    start: float | None = None
    end: float | None = None
    exploration: Exploration | None = None
    kind: str = "arms"

    def __post_init__(self) -> None:
        check_name("name", self.name)
        if self.salt is not None:
            check_name("salt", self.salt)
        check_name("layer", self.layer)
        one_of("kind", self.kind, KINDS)
        self._check_arms()
        self._check_users()
        if self.start is not None and self.end is not None and not self.start < self.end:
            raise ParameterError("end is not after start; exchange them")
        self.ramp.check(self.end)
        if self.exploration is not None:
            self.exploration.check("exploration")
        if self.kind == "interleaving":
            self._check_interleaving()

    def _check_arms(self) -> None:
        if not 2 <= len(self.arms) <= MOST_ARMS:
            raise ParameterError(
                f"arms: there are {len(self.arms)}; declare 2 to {MOST_ARMS}, the control first"
            )
        for n, arm in enumerate(self.arms):
            arm.check(f"arms[{n}]")
        names = [arm.name for arm in self.arms]
        for n, name in enumerate(names):
            if name in names[:n]:
                raise ParameterError(f"arms[{n}].name {brief(name)} stands twice; name each arm once")
        if not any(arm.weight for arm in self.arms):
            raise ParameterError("arms: every weight is 0; give one of them a weight above 0")

    def _check_users(self) -> None:
        low, high = self.span
        if not 0 <= low < high <= 1:
            raise ParameterError(f"span is [{low:g}, {high:g}]; give two numbers, 0 <= first < second <= 1")
        between("holdout", self.holdout, 0, 1, "[)")
        for user, arm in self.overrides.items():
            if not isinstance(user, str):
                raise ParameterError(f"overrides.{brief(user)}: give the id as text")
            if arm not in self.arm_names:
                known = ", ".join(self.arm_names)
                raise ParameterError(f"overrides.{brief(user)}: {brief(arm)} is no arm; name one of {known}")

    def _check_interleaving(self) -> None:
        if len(self.arms) != 2:
            raise ParameterError("arms: two lists are interleaved; declare two arms")
        if self.arms[0].weight != self.arms[1].weight:
            raise ParameterError("arms[1].weight: both teams draft alike; leave the weights out")
        if self.overrides:
            raise ParameterError("overrides: every list holds both arms; leave them out")
        if self.exploration is not None:
            raise ParameterError("exploration: not of interleaved lists; leave one of the two out")
        if INTERLEAVED in self.arm_names:
            raise ParameterError(f"arms: {INTERLEAVED} is the name for both arms; name the arm otherwise")

    @property
    def arm_names(self) -> list[str]:
        """The control's first."""
        return [arm.name for arm in self.arms]

    @property
    def control(self) -> Arm:
        """What the others are compared with."""
        return self.arms[0]

    def arm(self, name: str) -> Arm:
        """One by its name. Raises ParameterError."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise ParameterError(
            f"{brief(name)} is no arm of {self.name}; name one of {', '.join(self.arm_names)}"
        )

    @property
    def shares(self) -> dict[str, float]:
        """Arm -> which share of the new users it gets."""
        total = fsum(arm.weight for arm in self.arms)
        return {arm.name: arm.weight / total for arm in self.arms}

    @cached_property
    def arm_bounds(self) -> tuple[list[str], list[float]]:
        """Names of the arms that take users, and where in [0, 1) one ends and the next begins."""
        taking = [arm for arm in self.arms if arm.weight > 0]
        sums = list(accumulate(arm.weight for arm in taking))
        return [arm.name for arm in taking], [each / sums[-1] for each in sums[:-1]]

    @property
    def salted(self) -> str:
        """The salt of its hashes."""
        return self.name if self.salt is None else self.salt

    def runs_at(self, at: float) -> bool:
        """Whether users take part at a time, in seconds since 1970."""
        return (self.start is None or self.start <= at) and not self.ended_by(at)

    def ended_by(self, at: float) -> bool:
        """Whether its end has come."""
        return self.end is not None and self.end <= at
