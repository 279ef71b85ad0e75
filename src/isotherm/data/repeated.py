"""One protocol with several seeds: how much a figure depends on which clicks were hidden."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, overload

from isotherm.checks import one_of, seeded
from isotherm.data.hidden_clicks import Split, check_log
from isotherm.data.interactions import Interactions
from isotherm.data.splits import SPLITS
from isotherm.errors import ParameterError, SplitError, brief

DRAWN = ("cold-items", "mixed", "strong", "leave-one-out")  #: protocols that draw what they hide


@dataclass(frozen=True, eq=False)
class Repeated(Sequence[Split]):
    """Splits of one log with several seeds, each made when it is asked for."""

    clicks: Interactions
    protocol: str
    seeds: Sequence[int]
    settings: dict[str, Any]

    def __len__(self) -> int:
        return len(self.seeds)

    @overload
    def __getitem__(self, number: int) -> Split: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Split]: ...
    def __getitem__(self, number: int | slice) -> Split | Sequence[Split]:
        """The split of a seed. Raises SplitError where it leaves nothing to train on or to find."""
        if isinstance(number, slice):
            return Repeated(self.clicks, self.protocol, self.seeds[number], self.settings)
        seed = self.seeds[number]
        try:
            return SPLITS[self.protocol](self.clicks, seed=seed, **self.settings)
        except SplitError as cause:
            raise SplitError(f"seed {seed}: {cause}") from cause


def repeated(clicks: Interactions, protocol: str, seeds: Iterable[int], **settings: Any) -> Repeated:
    """The splits of a protocol with several seeds, for ``evaluate``: each hides other items, users or clicks.

    protocol: "cold-items", "mixed", "strong" or "leave-one-out".  seeds: different whole numbers >= 0.
    settings: as the protocol's function takes them, like ``holdout``.
    Raises ParameterError for another protocol, for no seeds and for a seed that stands twice.

    >>> from isotherm import Interactions
    >>> from isotherm.data.repeated import repeated
    >>> from scipy.sparse import csr_array
    >>> clicks = Interactions.from_csr(csr_array([[1, 1, 0, 1], [1, 0, 1, 1], [1, 1, 1, 0]]))
    >>> [split.settings["seed"] for split in repeated(clicks, "mixed", range(3), holdout=0.3)]
    [0, 1, 2]
    """
    check_log("clicks", clicks)
    if isinstance(seeds, str | bytes) or not isinstance(seeds, Iterable):
        raise ParameterError(f"seeds must be a list of whole numbers >= 0, not {brief(seeds)}")
    listed = [seeded("seed", seed) for seed in seeds]
    if not listed or len(set(listed)) < len(listed):
        raise ParameterError(f"seeds must be different whole numbers >= 0, not {brief(listed)}")
    return Repeated(clicks, one_of("protocol", protocol, DRAWN), listed, settings)
