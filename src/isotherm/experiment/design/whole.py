"""The whole design of an experiment on a site, and what it says in words."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from isotherm.data.wording import counted
from isotherm.experiment.design.options import DesignOptions
from isotherm.experiment.design.power import MetricDesign, metric_design
from isotherm.experiment.design.without_change import NAIVE, FalsePositives, false_positives
from isotherm.experiment.log import Users
from isotherm.experiment.metrics import STANDARD, Metric
from isotherm.files import finite, write_json


@dataclass(frozen=True)
class Design:
    """What experiments on a site need, metric by metric."""

    users_by_day: list[int]  #: different users seen to the end of each day
    metrics: list[MetricDesign]
    false_positives: list[FalsePositives]
    options: DesignOptions
    counts: dict[str, int] = field(default_factory=dict)  #: of the log

    def to_dict(self) -> dict[str, Any]:
        """As ``isotherm experiment design --json`` writes it: what has no value is null."""
        metrics = [asdict(each) | {"metric": each.metric.name} for each in self.metrics]
        told: dict[str, Any] = finite(asdict(self) | {"metrics": metrics, "words": self.words})
        return told

    def write_json(self, path: str | os.PathLike[str]) -> None:
        """Write ``to_dict``. Raises OutputError."""
        write_json(path, self.to_dict())

    @property
    def words(self) -> list[str]:
        """What to know, in plain sentences."""
        options, lines = self.options, []
        for each in (metric for metric in self.metrics if metric.metric.role == "goal"):
            if each.note:
                lines.append(f"{each.metric.name}: {each.note}.")
            elif each.days is None:
                lines.append(
                    f"{each.metric.name}: {options.effect:.1%} cannot be told within "
                    f"{counted(options.longest, 'day')}."
                )
            else:
                lines.append(
                    f"{each.metric.name}: an effect of {options.effect:.1%} needs "
                    f"{counted(each.days, 'day')}, with {each.users or 0:,} users, to be told "
                    f"with a power of {options.power:.0%}; CUPED leaves "
                    f"{each.variance_kept:.0%} of the variance."
                )
        return lines + [self._told(each) for each in self.false_positives]

    def _told(self, told: FalsePositives) -> str:
        promised = 1 - self.options.level
        what = (
            f"{told.test}: {told.share:.1%} of {told.splits:,} experiments without any change are called one"
        )
        if told.low <= promised <= told.high:
            return f"{what}, as promised ({promised:.0%})."
        so = (
            "do not use it" if told.test == NAIVE else "its p-values and intervals are not to be trusted here"
        )
        return f"{what} [{told.low:.1%}, {told.high:.1%}], not the {promised:.0%} promised: {so}."


def design(
    users: Users, metrics: Sequence[Metric] = STANDARD, options: DesignOptions | None = None
) -> Design:
    """Design experiments on a site's users, as ``site_users`` reads them."""
    options = options or DesignOptions()
    by_day = [] if users.daily is None else [int(n) for n in users.daily.to_date.n[:, 0]]
    return Design(
        by_day,
        [metric_design(users, metric, options) for metric in metrics],
        false_positives(users, metrics, options),
        options,
        users.counts.as_dict(),
    )
