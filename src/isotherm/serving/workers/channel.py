"""What parent and worker say to each other over a pair of sockets. That one of them is gone, however it
ended, the other sees by the end of the stream."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self

from isotherm.serving.workers.settings import ServerSettings

GO = b"go"  #: to a worker that has its task: the model is verified, so listen
READY = b"ready"  #: a worker, once it listens
ALIVE = b"alive"  #: a worker that answers requests, every second
METRICS = "PROMETHEUS_MULTIPROC_DIR"  #: variable of the environment that names the folder of metrics
WORKER = "ISOTHERM_WORKER"  #: one that says a worker's number


@dataclass(frozen=True)
class Task:
    """What a worker is told, in one line.

    number: of the worker, from 0; the one that takes a dead one's place has its number.  port: the open file
    of the socket that listens.  rates: that of the file of rates.  verified: content of
    models that need not be verified again.
    """

    number: int
    port: int
    rates: int
    verified: Sequence[str]
    settings: ServerSettings

    def line(self) -> bytes:
        """As it is sent."""
        told = {**asdict(self), "settings": self.settings.to_json()}
        return json.dumps(told).encode() + b"\n"

    @classmethod
    def of(cls, line: bytes) -> Self:
        """As it was sent."""
        told = json.loads(line)
        return cls(**{**told, "settings": ServerSettings.from_json(told["settings"])})
