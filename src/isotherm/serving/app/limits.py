"""How much one request may ask for."""

from collections.abc import Sized
from dataclasses import dataclass, fields

from isotherm.checks import above, between, whole
from isotherm.errors import LimitError


@dataclass(frozen=True)
class Limits:
    """The most of each that a request may hold; more is refused, and the answer names the limit.

    body: bytes.  k: items of a list.  history: items of a history.  ids: of exclude, candidates,
    items to score, fields and values of filters, each.  batch: requests.
    items, events: that are put at one time.
    audience_users: whose lists are made to see who will get an item; with more users, so many are looked at.
    rate: requests per second of one client, None for any number; ``burst`` of them may come at one time.
    at_once: requests that one process works on; those beyond are refused, not left to wait.
    database_seconds: how long a server of PostgreSQL may take to answer what a request asks it.
    """

    body: int = 4 * 2**20
    k: int = 1000
    history: int = 1000
    ids: int = 10_000
    batch: int = 100
    items: int = 1000
    events: int = 10_000
    audience_users: int = 5000
    rate: float | None = None
    burst: int = 20
    at_once: int = 500
    database_seconds: float = 3.0

    def __post_init__(self) -> None:
        for each in fields(self):
            if each.name not in ("rate", "database_seconds"):
                whole(each.name, getattr(self, each.name), 1)
        if self.rate is not None:
            above("rate", self.rate, 0)

        between("database_seconds", self.database_seconds, 0.1, 600)

    def told(self) -> str:
        """In words, for the document of the HTTP interface."""
        most = {
            "a body": f"{self.body:,} bytes",
            "k": f"{self.k:,}",
            "a history": f"{self.history:,} items",
            "exclude, candidates, filters and items to score": f"{self.ids:,} ids each",
            "a batch": f"{self.batch:,} requests",
            "items that are put": f"{self.items:,}",
            "events that are sent": f"{self.events:,}",
            "requests worked on at one time": f"{self.at_once:,} by each process",
        }
        if self.rate is not None:
            most["requests of one client"] = f"{self.rate:g} per second, {self.burst:,} at one time"
        return "At most: " + "; ".join(f"{what}: {n}" for what, n in most.items()) + "."

    def check(self, where: str, values: Sized | int, limit: str) -> None:
        """Raises LimitError where there are more values, or a larger number, than ``limit`` allows."""
        n, most = values if isinstance(values, int) else len(values), int(getattr(self, limit))
        if n > most:
            what = "is" if isinstance(values, int) else "holds"
            raise LimitError(f"{where}: {what} {n:,}, and at most {most:,} are allowed; ask for less", limit)
