"""One value per user for each metric, and what becomes of them: means with intervals, means over folds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from isotherm.evaluation.bootstrap import Interval, intervals
from isotherm.types import Float64, Int64

Metrics = dict[str, Interval | float]  #: metric -> over users, or one number for all lists
MetricValues = dict[str, Float64]  #: metric -> (n_users,)

_USER = "user"


@dataclass(frozen=True)
class UserValues:
    """Metrics of some users; NaN where a metric says nothing of a user, who is then left out of its mean."""

    users: pl.Series  #: (n_users,) their ids
    values: MetricValues  #: metric -> (n_users,) values

    def take(self, rows: Int64) -> "UserValues":
        """Only the users at ``rows``."""
        return UserValues(
            self.users.gather(rows), {name: values[rows] for name, values in self.values.items()}
        )

    def means(self) -> dict[str, float]:
        """Mean of each metric over the users of whom it says something, if there are any."""
        known = {name: values[~np.isnan(values)] for name, values in self.values.items()}
        return {name: float(values.mean()) for name, values in known.items() if len(values)}

    def intervals(self, seed: int) -> dict[str, Interval]:
        """Mean and interval of each metric, in order; a metric that says nothing of any user is left out.

        All metrics that say something of every user share their bootstrap draws.
        """
        known = {name: ~np.isnan(values) for name, values in self.values.items()}
        complete = [name for name in self.values if known[name].all()]
        by_metric: dict[str, Interval] = {}
        if complete and len(self.users):
            columns = np.column_stack([self.values[name] for name in complete])
            by_metric = dict(zip(complete, intervals(columns, seed), strict=True))
        for name in self.values.keys() - by_metric.keys():
            if known[name].any():
                by_metric[name] = intervals(self.values[name][known[name], None], seed)[0]
        return {name: by_metric[name] for name in self.values if name in by_metric}


def mean_over_folds(folds: Sequence[UserValues]) -> UserValues:
    """One value per user over all folds that ask something of this user: their mean.

    A user who is asked for items of several folds gives several values, which are alike: to take them for
    independent would make intervals and p-values too small. So users stay the unit, in each metric.
    """
    if len(folds) == 1:
        return folds[0]
    frames = [pl.DataFrame({**_nullable(fold.values), _USER: fold.users}) for fold in folds]
    means = pl.concat(frames, how="diagonal_relaxed").group_by(_USER, maintain_order=True).mean()
    names = [name for name in means.columns if name != _USER]
    return UserValues(
        means[_USER], {name: means[name].fill_null(np.nan).to_numpy().astype(np.float64) for name in names}
    )


def _nullable(values: Mapping[str, Float64]) -> dict[str, pl.Series]:
    return {name: pl.Series(name, each, nan_to_null=True) for name, each in values.items()}
