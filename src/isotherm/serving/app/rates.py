"""How many requests a client may send: exact over all workers, in one file that they share.

A client's next request is due at a time that each request moves on by 1 / rate (GCRA, the token bucket as
one number); it may come up to ``burst`` requests early. Clients are addresses, of IPv6 their /64 network.
Each has one of about a million places by a keyed hash, so that nobody can choose whose place he shares.
"""

import fcntl
import hashlib
import ipaddress
import mmap
import os
import struct
import tempfile
import time
from collections.abc import Callable
from typing import BinaryIO

from isotherm.serving.app.limits import Limits

_PLACES = 2**20
_TIME = struct.Struct("<d")
_KEY_BYTES = 32


class RateLimit:
    """At most ``rate`` requests per second of a client, and ``burst`` at one time.

    file: shared by all workers, open for reading and writing and filled by ``new_file``; None: of this
    process alone.  clock: seconds, the same in all of them.
    """

    def __init__(
        self,
        rate: float,
        burst: int,
        file: BinaryIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._step, self._early = 1 / rate, burst / rate
        self._file = file or new_file()
        self._times = mmap.mmap(self._file.fileno(), _KEY_BYTES + _PLACES * _TIME.size)
        self._key, self._clock = self._times[:_KEY_BYTES], clock

    @classmethod
    def of(cls, limits: Limits, file: BinaryIO | None = None) -> "RateLimit | None":
        """That of these limits; None where they have none."""
        return None if limits.rate is None else cls(limits.rate, limits.burst, file)

    def seconds_to_wait(self, client: str) -> float:
        """0 where this request may pass, and it counts; else in how many seconds the next may."""
        place = self._place(client)
        fcntl.lockf(self._file, fcntl.LOCK_EX, _TIME.size, place)
        try:
            now = self._clock()
            due = max(_TIME.unpack_from(self._times, place)[0], now) + self._step
            wait = due - now - self._early
            if wait <= 1e-9:
                _TIME.pack_into(self._times, place, due)
                return 0.0
            return float(wait)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, _TIME.size, place)

    def _place(self, client: str) -> int:
        digest = hashlib.blake2b(_network(client).encode(), digest_size=8, key=self._key).digest()
        return _KEY_BYTES + int.from_bytes(digest) % _PLACES * _TIME.size


def new_file(path: str | os.PathLike[str] | None = None) -> BinaryIO:
    """An empty file of rates, 8 MB of which only the places in use take memory; None: without a name."""
    file = open(path, "w+b") if path is not None else tempfile.TemporaryFile()  # noqa: SIM115
    file.write(os.urandom(_KEY_BYTES))
    file.truncate(_KEY_BYTES + _PLACES * _TIME.size)
    file.flush()
    return file


def _network(client: str) -> str:
    if ":" not in client:
        return client
    try:
        return str(ipaddress.ip_network((client.partition("%")[0], 64), strict=False))
    except ValueError:
        return client
