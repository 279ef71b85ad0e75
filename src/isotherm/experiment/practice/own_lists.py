"""Lists straight from the models, in this process: the same as the server's, without HTTP."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from isotherm.experiment.practice.days import Done
from isotherm.experiment.practice.titles import Titles
from isotherm.models.base import Recommender
from isotherm.types import Bools, Int32, Int64

_BLOCK = 1000  # viewers


class OwnLists:
    """Lists of k titles.  models: of the arms.  arm: (n_viewers,) place of a viewer's arm in ``models``."""

    def __init__(self, titles: Titles, models: Sequence[Recommender], arm: Int64, k: int) -> None:
        self._titles, self._models, self._arm, self._k = titles, models, arm, k
        self._there = titles.there(-1)

    def begin(self, day: int) -> None:
        """New titles may be shown."""
        self._there = self._titles.there(day)

    def ask(self, viewers: Int64, watched: Bools) -> Int32:
        """Lists by each viewer's arm."""
        shown = np.full((len(viewers), self._k), -1, dtype=np.int32)
        for place, model in enumerate(self._models):
            rows = np.flatnonzero(self._arm[viewers] == place)
            for start in range(0, len(rows), _BLOCK):
                some = rows[start : start + _BLOCK]
                block = csr_array(watched[some].astype(np.float32))
                shown[some] = model.answer(block, self._k, candidates=self._there).columns
        return shown

    def tell(self, done: Done) -> None:
        """Nobody else needs to know."""
