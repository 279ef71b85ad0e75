"""A batch of users' clicks as CSR tensors: what a training step reads. Never a dense users × items array."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from isotherm.linalg.csr import index_pointers
from isotherm.types import Array, UserItems


@dataclass(frozen=True, eq=False)
class Batch:
    """Clicks of the users of a batch, in CSR.

    starts: (n_users + 1,) int64.  items: (n_clicks,) int64 columns, ascending within a user.
    values: (n_clicks,) float32.  n_items: columns of the whole catalogue.
    """

    starts: Tensor
    items: Tensor
    values: Tensor
    n_items: int

    @classmethod
    def of(cls, matrix: UserItems, device: torch.device | str = "cpu") -> "Batch":
        """All rows of a CSR matrix."""
        return cls(
            torch.from_numpy(matrix.indptr.astype(np.int64)).to(device),
            torch.from_numpy(matrix.indices.astype(np.int64)).to(device),
            torch.from_numpy(np.asarray(matrix.data, dtype=np.float32)).to(device),
            matrix.shape[1],
        )

    @property
    def n_users(self) -> int:
        """Rows."""
        return len(self.starts) - 1

    @cached_property
    def lengths(self) -> Tensor:
        """(n_users,) int64 clicks of each user."""
        return self.starts.diff()

    @cached_property
    def rows(self) -> Tensor:
        """(n_clicks,) int64 row of each click."""
        return torch.repeat_interleave(
            torch.arange(self.n_users, device=self.starts.device), self.lengths, output_size=len(self.items)
        )

    @cached_property
    def totals(self) -> Tensor:
        """(n_users,) sum of each user's values."""
        return self.sums(self.values)

    @cached_property
    def by_item(self) -> tuple[Array, Array, Array]:
        """The clicks item by item (CSC): starts (n_items + 1,), users and values (n_clicks,)."""
        items = self.items.numpy()
        order = np.argsort(items, kind="stable")
        starts = index_pointers(np.bincount(items, minlength=self.n_items))
        return starts, self.rows.numpy()[order], self.values.numpy()[order]

    def sums(self, values: Tensor) -> Tensor:
        """(n_users,) sums of one value per click."""
        out = torch.zeros(self.n_users, dtype=values.dtype, device=values.device)
        return out.index_add(0, self.rows, values)

    def with_values(self, values: Tensor) -> "Batch":
        """The same clicks with other values."""
        batch = replace(self, values=values)
        for name in ("lengths", "rows"):  # what follows from the places alone is not computed again
            if name in self.__dict__:
                batch.__dict__[name] = self.__dict__[name]
        return batch

    def only(self, kept: Tensor) -> "Batch":
        """Only the clicks where ``kept`` (n_clicks,) bool is true; every user stays."""
        starts = torch.nn.functional.pad(kept.cumsum(0), (1, 0))[self.starts]
        places = kept.nonzero()[:, 0]  # once: a device is waited for until their number is known
        return Batch(starts, self.items[places], self.values[places], self.n_items)

    def users(self, first: int, last: int) -> "Batch":
        """The users first … last - 1."""
        clicks = slice(int(self.starts[first]), int(self.starts[last]))
        starts = self.starts[first : last + 1] - self.starts[first]
        return Batch(starts, self.items[clicks], self.values[clicks], self.n_items)

    def to(self, device: torch.device | str) -> "Batch":
        """The batch on another device; itself where it is there."""
        if self.values.device == torch.device(device):
            return self
        return Batch(self.starts.to(device), self.items.to(device), self.values.to(device), self.n_items)
