"""Input masking: which clicks the encoder sees. The target is always the clean vector (PIA, §2)."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from isotherm.checks import above, at_least, between, number_or_auto, settled
from isotherm.models.vae.objective.ladder import Ladder
from isotherm.parameters import Part

_KEEP = Ladder((0.2, 0.35, 0.5, 0.65, 0.8), start=0.5)


class Mask(Part, ABC):
    """A mask is the probability with which each item's click is kept, by epoch."""

    ladders: ClassVar[Mapping[str, Ladder]] = {}

    @property
    def hides(self) -> bool:
        """Whether it ever hides a click."""
        return True

    @abstractmethod
    def keep_probability(self, item_clicks: Tensor, epoch: int) -> Tensor:
        """(n_items,) float32 in [0, 1].  item_clicks: (n_items,) clicks in training.  epoch: from 0."""


class Clean(Mask):
    """No masking: the encoder sees every click."""

    name: ClassVar[str] = "none"
    hides = False

    def keep_probability(self, item_clicks: Tensor, epoch: int) -> Tensor:
        """One."""
        return torch.ones(len(item_clicks))


class Bernoulli(Mask):
    """Each click is kept with the same probability ρ, independently (PIA, §2).

    >>> import torch
    >>> from isotherm import Bernoulli
    >>> Bernoulli(keep=0.5).keep_probability(torch.tensor([7, 1]), epoch=0)
    tensor([0.5000, 0.5000])

    Parameters:
        keep (in (0, 1] or auto; default 0.5): ρ; 0.5 is the dropout of Liang et al. 2018; auto: chosen by
            short trainings.
    """

    name: ClassVar[str] = "bernoulli"
    ladders: ClassVar[Mapping[str, Ladder]] = {"keep": _KEEP}

    def __init__(self, *, keep: float | str = 0.5) -> None:
        self.keep = number_or_auto("mask.keep", keep, _probability)

    @property
    def hides(self) -> bool:
        """Where ρ is below 1."""
        return self.keep != 1

    def keep_probability(self, item_clicks: Tensor, epoch: int) -> Tensor:
        """ρ."""
        return torch.full((len(item_clicks),), settled("mask.keep", self.keep))


class PopularityAware(Mask):
    """Popular items are masked more: kept with probability ∝ clicks^−power, ``keep`` on average over clicks.

    >>> import torch
    >>> from isotherm import PopularityAware
    >>> PopularityAware(keep=0.5, power=0.5).keep_probability(torch.tensor([4, 16, 64]), epoch=0)
    tensor([1.0000, 0.7917, 0.3958])

    Parameters:
        keep (in (0, 1] or auto; default 0.5): the mean probability over all clicks; auto: chosen by short
            trainings.
        power (>= 0; default 0.25): 0 is Bernoulli; the larger, the less popular items are seen.
    """

    name: ClassVar[str] = "popularity"
    ladders: ClassVar[Mapping[str, Ladder]] = {"keep": _KEEP}

    def __init__(self, *, keep: float | str = 0.5, power: float = 0.25) -> None:
        self.keep = number_or_auto("mask.keep", keep, _probability)
        self.power = at_least("mask.power", power, 0)

    @property
    def hides(self) -> bool:
        """Where not all are kept."""
        return self.keep != 1

    def keep_probability(self, item_clicks: Tensor, epoch: int) -> Tensor:
        """c · clicks^−power, at most 1, with c such that ``keep`` of all clicks are kept."""
        keep = settled("mask.keep", self.keep)
        counts, which, n_items = item_clicks.unique(return_inverse=True, return_counts=True)
        shares = counts * n_items / item_clicks.sum()
        log_ratio = -self.power * counts.double().clamp(min=1).log()  # a power itself may be out of range
        low, high = math.log(keep) - float(log_ratio.max()), -float(log_ratio.min())
        for _ in range(60):
            log_c = (low + high) / 2
            kept = (shares * (log_c + log_ratio).clamp(max=0).exp()).sum()
            low, high = (log_c, high) if kept < keep else (low, log_c)
        probability: Tensor = (high + log_ratio).clamp(max=0).exp().float()[which]
        return probability


class Scheduled(Mask):
    """Bernoulli whose ρ goes linearly from ``start`` to ``end`` over ``epochs`` epochs.

    >>> import torch
    >>> from isotherm import Scheduled
    >>> schedule = Scheduled(start=1.0, end=0.5, epochs=10)
    >>> [float(schedule.keep_probability(torch.tensor([3]), epoch)) for epoch in (0, 5, 10, 15)]
    [1.0, 0.75, 0.5, 0.5]

    Parameters:
        start (in (0, 1]; default 1.0): ρ of the first epoch.
        end (in (0, 1]; default 0.5): ρ once the epochs are over.
        epochs (> 0; default 20): over how many epochs ρ moves.
    """

    name: ClassVar[str] = "scheduled"

    def __init__(self, *, start: float = 1.0, end: float = 0.5, epochs: float = 20) -> None:
        self.start, self.end = _probability("mask.start", start), _probability("mask.end", end)
        self.epochs = above("mask.epochs", epochs, 0)

    @property
    def hides(self) -> bool:
        """Where ρ is below 1 at its start or its end."""
        return min(self.start, self.end) < 1

    def keep_probability(self, item_clicks: Tensor, epoch: int) -> Tensor:
        """ρ of this epoch."""
        keep = self.start + (self.end - self.start) * min(epoch / self.epochs, 1.0)
        return torch.full((len(item_clicks),), keep)


MASKS: dict[str, type[Mask]] = {kind.name: kind for kind in (Clean, Bernoulli, PopularityAware, Scheduled)}


def _probability(name: str, value: float) -> float:
    return between(name, value, 0, 1, "(]")
