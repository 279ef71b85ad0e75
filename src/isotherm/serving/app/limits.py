"""How much one request may ask for."""

from collections.abc import Sized
from dataclasses import dataclass

from isotherm.errors import ParameterError


@dataclass(frozen=True)
class Limits:
    """The most of each that a request may hold; more is refused, and the answer names the limit.

    body: bytes.  k: items of a list.  history: items of a history.  ids: of exclude, candidates,
    items to score, fields and values of filters, each.  batch: requests.
    items, events: that are put at one time.
    audience_users: whose lists are made to see who will get an item; with more users, so many are looked at.
    """

    body: int = 4 * 2**20
    k: int = 1000
    history: int = 1000
    ids: int = 10_000
    batch: int = 100
    items: int = 1000
    events: int = 10_000
    audience_users: int = 5000

    def check(self, where: str, values: Sized | int, limit: str) -> None:
        """Raises ParameterError where there are more values, or a larger number, than ``limit`` allows."""
        n, most = values if isinstance(values, int) else len(values), int(getattr(self, limit))
        if n > most:
            what = "is" if isinstance(values, int) else "holds"
            raise ParameterError(f"{where}: {what} {n:,}, and at most {most:,} are allowed; ask for less")
