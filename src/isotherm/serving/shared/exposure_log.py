"""Lists that were shown, on their way to the database: answers never wait for it."""

import logging
import secrets
from collections import deque
from datetime import timedelta
from itertools import count
from threading import Lock

from isotherm.errors import ParameterError
from isotherm.serving.catalogue.items import Id
from isotherm.serving.database import Chances, Database, Exposure
from isotherm.serving.database.exposures import exposure_row
from isotherm.serving.database.moments import now
from isotherm.serving.live.requests import Answer, ExperimentAnswer

_log = logging.getLogger(__name__)
_MOST = 100_000  # lists that wait; what comes beyond is dropped and counted
_NONE = Chances()  # of a list that is of no experiment
_AT_ONCE = 5_000  # of one transaction


class ExposureLog:
    """A queue of lists.  days: so long they are kept in the database.

    n_dropped: lists that were not kept, as too many waited, or an id of theirs cannot be kept.
    """

    def __init__(self, database: Database, days: float, most: int = _MOST) -> None:
        self._database, self._days, self._most = database, days, most
        self._waiting: deque[Exposure] = deque()
        self._prefix, self._numbers = secrets.token_hex(8), count(1)
        self._flushing = Lock()
        self.n_dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def new_request(self) -> str:
        """An id that no other list has."""
        return f"{self._prefix}-{next(self._numbers)}"

    def add(self, user: Id, answer: Answer, chances: Chances = _NONE) -> None:
        """A list that a user was answered.  chances: what experiments must know of it."""
        if len(self._waiting) >= self._most:
            self.n_dropped += 1
            return
        items = answer.items
        ids, cold = [item.item_id for item in items], [item.rank for item in items if item.cold]
        request = answer.request_id if isinstance(answer, ExperimentAnswer) else self.new_request()
        self._waiting.append(Exposure(request, user, ids, cold, answer.model, chances=chances))

    def flush(self) -> int:
        """Write what waits. Returns how many lists. Raises DatabaseError; what is not written waits on."""
        n_written = 0
        with self._flushing:
            while self._waiting:
                n = min(_AT_ONCE, len(self._waiting))
                lists = [
                    each for each in (self._waiting[place] for place in range(n)) if self._can_keep(each)
                ]
                n_written += self._database.log_exposures(lists)
                for _ in range(n):
                    self._waiting.popleft()
                self.n_dropped += n - len(lists)
        return n_written

    def _can_keep(self, shown: Exposure) -> bool:
        try:
            exposure_row(shown)
        except ParameterError as cause:
            _log.warning("a list that was shown is not kept: %s", cause)
            return False
        return True

    def forget_old(self) -> int:
        """Remove from the database what is older than ``days``. Returns how many lists."""
        n_gone, before = 0, now() - timedelta(days=self._days)
        while n := self._database.drop_exposures(before):
            n_gone += n
        return n_gone
