"""What every worker must know: written by the parent as JSON, read by each worker."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from isotherm.checks import at_least, whole
from isotherm.serving.app.limits import Limits


@dataclass(frozen=True)
class Ending:
    """How long a server takes to end.

    drain_seconds: so long it goes on taking requests while /readyz says that it is ending.
    grace_seconds: so long requests that have begun may take after that.
    """

    drain_seconds: float = 1.0
    grace_seconds: float = 8.0

    def __post_init__(self) -> None:
        at_least("--drain-seconds", self.drain_seconds, 0)
        at_least("--grace-seconds", self.grace_seconds, 0)


@dataclass(frozen=True)
class ServerSettings:
    """A server.

    model: folder of the saved model.  database: its URL.
    token: for writes, and for everything with ``token_for_all``.  proxies: addresses whose X-Forwarded-For is
    believed.  experiments: files of plans, and what they hold, with folders of models in full.
    """

    model: str
    database: str = field(repr=False)
    limits: Limits = field(default_factory=Limits)
    ending: Ending = field(default_factory=Ending)
    token: str | None = field(default=None, repr=False)
    token_for_all: bool = False
    exposure_days: int = 90
    proxies: str = "127.0.0.1,::1"
    experiments: tuple[tuple[str, dict[str, Any]], ...] = ()

    def __post_init__(self) -> None:
        whole("--exposure-days", self.exposure_days, 1)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Self:
        """What ``to_json`` wrote."""
        told = json.loads(line)
        read = {"limits": Limits(**told["limits"]), "ending": Ending(**told["ending"])}
        return cls(**{**told, **read, "experiments": tuple(map(tuple, told["experiments"]))})
