"""Lists and events over HTTP: what viewers of a real server do."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import polars as pl

from isotherm.errors import PracticeError
from isotherm.experiment.practice.days import Done
from isotherm.experiment.practice.log import events_of
from isotherm.experiment.practice.server import PracticeServer
from isotherm.experiment.practice.titles import Titles
from isotherm.experiment.practice.viewers import Viewers
from isotherm.types import Bools, Int32, Int64

_LISTS, _EVENTS, _ITEMS = 50, 5_000, 500  # of one request
T = TypeVar("T")


class HTTPLists:
    """Lists of k titles from a server, whose log fills.

    start: of the first simulated day, seconds since 1970.  told: called after each day with its number.
    began: when each day really began, and the last one ended; seconds since 1970.
    """

    def __init__(
        self,
        server: PracticeServer,
        of: tuple[Viewers, Titles],
        k: int,
        start: float,
        told: Callable[[int], None],
    ) -> None:
        (self._viewers, self._titles), self._server, self._k = of, server, k
        self._start, self._told = start, told
        self._row = self._titles.items.ids.row_of
        self.began: list[float] = []
        self.n_lists = self.n_events = 0

    def open(self, before: pl.DataFrame) -> None:
        """Before the first day: new titles are announced, and hidden; what viewers clicked is sent."""
        coming = np.flatnonzero(self._titles.comes >= 0)
        self._show(coming, hidden=True)
        self._send(before)

    def begin(self, day: int) -> None:
        """Show the new titles of the day."""
        self._show(self._titles.coming(day), hidden=False)
        self.began.append(time.time())

    def ask(self, viewers: Int64, watched: Bools) -> Int32:
        """Lists as the server makes them, which knows by itself who watched what."""
        bodies = [{"user": int(each), "k": self._k} for each in self._viewers.ids[viewers]]
        requests = [{"requests": part} for part in _parts(bodies, _LISTS)]
        answers = [
            each for told in self._server.post("/v1/recommend/batch", requests) for each in told["answers"]
        ]
        shown = np.full((len(viewers), self._k), -1, dtype=np.int32)
        for row, answer in enumerate(answers):
            _check_arm(answer)
            titles = [self._row[item["item_id"]] for item in answer["items"]]
            shown[row, : len(titles)] = titles
        self.n_lists += len(viewers)
        return shown

    def tell(self, done: Done) -> None:
        """Send the events of the day."""
        self._send(events_of(done, self._viewers, self._titles, self._start))
        self._told(len(self.began))

    def close(self) -> None:
        """After the last day."""
        self.began.append(time.time())

    def _send(self, events: pl.DataFrame) -> None:
        names = {"event_id": "id", "user_id": "user", "item_id": "item"}
        bodies = [
            {name: value for name, value in each.items() if value is not None}
            for each in events.rename(names).to_dicts()
        ]
        for told in self._server.post("/v1/events", _parts(bodies, _EVENTS)):
            if told["refused"]:
                raise PracticeError(f"the server refused {told['refused']} events")
        self.n_events += len(bodies)

    def _show(self, rows: Any, hidden: bool) -> None:
        items = [{"item_id": item, "hidden": hidden} for item in self._titles.ids.gather(rows).to_list()]
        self._server.post("/v1/items", [{"items": part} for part in _parts(items, _ITEMS)])


def _check_arm(answer: Any) -> None:
    """Raise PracticeError where an answer was made in no arm."""
    n_arms = len(answer.get("experiments", []))
    if n_arms != 1:
        raise PracticeError(
            f"the server answered a viewer in {n_arms} arms; exactly one was declared for all"
        )


def _parts(rows: Sequence[T], n: int) -> Iterator[Sequence[T]]:
    return (rows[start : start + n] for start in range(0, len(rows), n))
