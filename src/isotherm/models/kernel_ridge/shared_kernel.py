"""The kernel among the training items of a fit, computed once for its model and for those of its kept items.

Nothing fades in it: an item is never beyond the range of a catalogue that it is in. So the kernel among some
of the items is a part of it, and only items that are not in it are compared anew.
"""

from collections.abc import Iterator

import numpy as np

from isotherm.features.encoded_items import EncodedItems
from isotherm.features.kernel_index import WeightedKernel
from isotherm.progress import stage
from isotherm.types import Float32, Int64, ItemIndex

_BAND = 512


class SharedKernel:
    """K among some items, of one choice of weights.

    items: which of a catalogue, (n,) ascending.  among: K, (n, n).
    """

    def __init__(self, items: ItemIndex, among: Float32) -> None:
        self._items, self._among = items, among

    def part(self, kernel: WeightedKernel, encoded: EncodedItems, items: ItemIndex) -> Float32:
        """K among ``items`` of the catalogue, ascending, in an array of its own, (m, m).

        encoded: their metadata.  kernel: compares with them.
        """
        known = np.isin(items, self._items)
        places = np.searchsorted(self._items, items[known])
        if known.all():
            return np.ascontiguousarray(self._among[np.ix_(places, places)])
        among = np.empty((len(items), len(items)), dtype=np.float32)
        found, others = np.flatnonzero(known), np.flatnonzero(~known)
        among[np.ix_(found, found)] = self._among[np.ix_(places, places)]
        for band, rows in _compared(kernel, encoded, others):
            among[band], among[:, band] = rows, rows.T
        return among

    def taken(self, items: ItemIndex) -> Float32 | None:
        """K itself where it is that among ``items``; it is then no longer here."""
        if not np.array_equal(items, self._items):
            return None
        among = self._among
        self._items, self._among = self._items[:0], among[:0, :0]
        return among


def kernel_rows(kernel: WeightedKernel, encoded: EncodedItems, n_landmarks: int) -> Float32:
    """K of some items and those that the kernel compares with, (n, n_landmarks)."""
    rows = np.empty((len(encoded), n_landmarks), dtype=np.float32)
    for band, compared in _compared(kernel, encoded, np.arange(len(encoded))):
        rows[band] = compared
    return rows


def _compared(
    kernel: WeightedKernel, encoded: EncodedItems, items: ItemIndex
) -> Iterator[tuple[Int64, Float32]]:
    """Bands of ``items`` of the encoded ones, and their rows of K."""
    with stage("compare items by metadata", len(items), "items") as advance:
        for places in bands(len(items)):
            band = items[places]
            yield band, kernel.rows(encoded.take(band))
            advance(len(band))


def bands(n: int) -> Iterator[Int64]:
    """Bands of rows that cover range(n)."""
    for first in range(0, n, _BAND):
        yield np.arange(first, min(first + _BAND, n))
