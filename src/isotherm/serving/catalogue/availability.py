"""Which items may be shown when: hidden and removed ones never, the others within their window."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from isotherm.serving.catalogue.items import LiveItem
from isotherm.types import Bools, Float64


@dataclass(frozen=True, eq=False)
class Availability:
    """Of each of n items: whether it is shown at all, and from when until when, in seconds since 1970."""

    shown: Bools
    opens: Float64
    closes: Float64

    @classmethod
    def always(cls, n_items: int) -> "Availability":
        """Of items of which nothing is said."""
        return cls(np.ones(n_items, dtype=bool), np.full(n_items, -np.inf), np.full(n_items, np.inf))

    def with_items(self, n_items: int, items: Iterable[tuple[int, LiveItem]]) -> "Availability":
        """That of a catalogue of ``n_items``, once so much is said of the items at some columns."""
        more = Availability.always(n_items - len(self.shown))
        changed = Availability(
            np.concatenate([self.shown, more.shown]),
            np.concatenate([self.opens, more.opens]),
            np.concatenate([self.closes, more.closes]),
        )
        for column, item in items:
            changed.shown[column] = not (item.hidden or item.removed)
            changed.opens[column] = -np.inf if item.available_from is None else item.available_from
            changed.closes[column] = np.inf if item.available_until is None else item.available_until
        return changed

    def at(self, now: float) -> Bools:
        """(n,) flags of what may be shown now; a new array.

        They are made anew once the next window opens or closes; until then they are copied.
        """
        return self._flags_at(now)[0].copy()

    def opened_at(self, now: float) -> Bools:
        """(n,) flags of what is shown, or was before its time was over; not to be changed."""
        return self._flags_at(now)[1]

    def _flags_at(self, now: float) -> tuple[Bools, Bools]:
        for begin, end, open_now, opened in self._held:
            if begin <= now < end:
                return open_now, opened
        opened = self.shown & (self.opens <= now)
        open_now = opened & (now < self.closes)
        index = int(np.searchsorted(self._moments, now, side="right"))
        edges = np.concatenate([[-np.inf], self._moments, [np.inf]])
        self._held[:] = [(float(edges[index]), float(edges[index + 1]), open_now, opened)]
        return open_now, opened

    @cached_property
    def _moments(self) -> Float64:
        """When a window opens or closes, ascending."""
        moments = np.concatenate([self.opens, self.closes])
        return np.unique(moments[np.isfinite(moments)])

    @cached_property
    def _held(self) -> list[tuple[float, float, Bools, Bools]]:
        """From when, until when, and both flags; the latest that were made."""
        return []
