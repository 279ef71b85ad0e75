"""How much of the catalogue an arm shows: distinct items shown to a group of users, compared between arms.

Distinct items are no mean over users, and a bootstrap over users loses the items that one user alone was
shown. So each arm's users are split at random into groups of equal size, the same in all arms, and the items
that each group was shown are counted. Groups are independent, whatever their users have in common in their
lists: their means have Welch's interval. The number says of groups of that size; it grows with the size.
"""

import numpy as np

from isotherm.experiment.analysis.samples import Sample
from isotherm.types import Array


def coverage_sample(counts: Array) -> Sample:
    """(n_groups,) distinct items that each group of an arm's users was shown."""
    values = np.asarray(counts, dtype=float)
    n = len(values)
    spread = values.var(ddof=1) if n > 1 else np.nan
    return Sample(n, float(values.mean()) if n else np.nan, np.array([[spread]]), np.empty(0))
