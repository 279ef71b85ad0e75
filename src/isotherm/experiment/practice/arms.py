"""The arms of the practice platform: their models, and the plan of the experiment."""

from collections.abc import Mapping
from dataclasses import dataclass

from isotherm.experiment.plan import Arm, Experiment
from isotherm.experiment.practice.titles import Titles
from isotherm.experiment.practice.viewers import DAY
from isotherm.models.base import Recommender
from isotherm.models.kernel_ridge.model import KernelRidge
from isotherm.models.linear.ease import EASE

CONTROL, TREATMENT = "ease", "kernel-ridge"
_NEW_SHARE = 0.4  # of lists that new titles would get if all of them were there


@dataclass(frozen=True, eq=False)
class Models:
    """The models of the two arms, fitted on the same clicks; of an A/A, one model twice."""

    control: Recommender
    treatment: Recommender

    @classmethod
    def fitted(cls, titles: Titles, same: bool = False) -> "Models":
        """EASE against kernel-ridge.  same: EASE against itself."""
        control = EASE().fit(titles.past, titles.items)
        if same:
            return cls(control, control)
        return cls(control, KernelRidge(new_item_share=_NEW_SHARE).fit(titles.past, titles.items))

    @property
    def same(self) -> bool:
        """Whether this is an A/A."""
        return self.control is self.treatment

    def by_arm(self) -> Mapping[str, Recommender]:
        """Name of an arm -> its model, the control's first."""
        names = ("ease", "ease again") if self.same else (CONTROL, TREATMENT)
        return dict(zip(names, (self.control, self.treatment), strict=True))


def declared(models: Models, start: float, days: int, seed: int) -> Experiment:
    """The experiment.  start: seconds since 1970, midnight UTC."""
    names = list(models.by_arm())
    name = "ease against itself" if models.same else f"{names[0]} against {names[1]}"
    arms = tuple(Arm(each) for each in names)
    return Experiment(name, arms, salt=f"practice {seed}", start=start, end=start + days * DAY)
