"""One value a user for each metric, and what becomes of them: means with intervals, folds put together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from isotherm.evaluation.bootstrap import Interval, intervals
from isotherm.types import Float64, Int64

Values = dict[str, Float64]  #: metric -> (n_users,)


@dataclass(frozen=True)
class Sample:
    """Metrics of some users; NaN where a metric says nothing of a user, who is then left out of its mean."""

    users: pl.Series  #: their ids
    values: Values

    def take(self, rows: Int64) -> "Sample":
        """Only the users at ``rows``."""
        return Sample(self.users.gather(rows), {name: values[rows] for name, values in self.values.items()})

    def intervals(self, seed: int) -> dict[str, Interval]:
        """Mean and interval of each metric, in order; a metric that says nothing of any user is left out.

        All metrics that say something of every user share their bootstrap draws.
        """
        known = {name: ~np.isnan(values) for name, values in self.values.items()}
        whole = [name for name in self.values if known[name].all()]
        found: dict[str, Interval] = {}
        if whole and len(self.users):
            columns = np.column_stack([self.values[name] for name in whole])
            found = dict(zip(whole, intervals(columns, seed), strict=True))
        for name in self.values.keys() - found.keys():
            if known[name].any():
                found[name] = intervals(self.values[name][known[name], None], seed)[0]
        return {name: found[name] for name in self.values if name in found}


def pooled(samples: Sequence[Sample]) -> Sample:
    """One value a user over all folds that ask something of this user: their mean.

    A user who is asked for items of several folds gives several values, which are alike: to take them for
    independent would make intervals and p-values too small. So users stay the unit, in each metric.
    """
    if len(samples) == 1:
        return samples[0]
    frames = [pl.DataFrame({**_nullable(sample.values), _USER: sample.users}) for sample in samples]
    means = pl.concat(frames, how="diagonal_relaxed").group_by(_USER, maintain_order=True).mean()
    names = [name for name in means.columns if name != _USER]
    return Sample(
        means[_USER], {name: means[name].fill_null(np.nan).to_numpy().astype(np.float64) for name in names}
    )


_USER = "user"


def _nullable(values: Mapping[str, Float64]) -> dict[str, pl.Series]:
    return {name: pl.Series(name, each, nan_to_null=True) for name, each in values.items()}
