"""How long one waits for a PostgreSQL server that does not answer, and who still asks it meanwhile."""

import select
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

from isotherm.errors import SilentDatabaseError

_ASK_AGAIN = 1.0  # seconds after a wait in vain until the next one asks
_MORE = 0.5  # seconds that the server has to say itself that it took too long
_READ, _WRITE = 1, 2  # of psycopg: what a step waits for, and what came


class Answering:
    """Whether a database answers in time. Once it did not, one caller at a time asks it, a second after the
    last, and all others are refused at once: they keep no thread waiting.

    what: it is, for messages.  clock: seconds.
    """

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._what, self._clock = what, clock
        self._lock = threading.Lock()
        self._is_asked = False
        self._again: float | None = None  # when the next may ask; None while it answers

    @contextmanager
    def asked(self) -> Iterator[None]:
        """While it is asked. Raises SilentDatabaseError at once where it is not to be asked now."""
        asks_alone = self._again is not None and self._begin()
        try:
            yield
        except SilentDatabaseError:
            self._again = self._clock() + _ASK_AGAIN
            raise
        except BaseException:
            self._again = None  # it said something
            raise
        else:
            self._again = None
        finally:
            if asks_alone:
                self._is_asked = False

    def check(self) -> None:
        """Raise SilentDatabaseError where it did not answer the last time."""
        if self._again is not None:
            raise self._error()

    def _begin(self) -> bool:
        with self._lock:
            again = self._again
            if again is None:
                return False
            if self._is_asked or self._clock() < again:
                raise self._error()
            self._is_asked = True
            return True

    def _error(self) -> SilentDatabaseError:
        words = "does not answer; see whether it hangs, or what holds locks"
        return SilentDatabaseError(f"{self._what}: {words}")


def bounded_connection(seconds: float) -> Any:
    """A class of psycopg's connections that wait so long for an answer, then close.

    The server itself gives a statement up after ``seconds``; one that hangs does not even do that.
    """
    from psycopg import Connection, OperationalError

    class BoundedConnection(Connection[Any]):
        """Closed where an answer does not come in time."""

        def wait(self, gen: Any, *_: Any, **__: Any) -> Any:
            """The end of a step of the protocol. Raises OperationalError where it does not come in time."""
            try:
                return _consumed(gen, self.pgconn.socket, seconds + _MORE)
            except TimeoutError:
                self.pgconn.finish()
                raise OperationalError(f"no answer within {seconds:g} s") from None

    return BoundedConnection


def _consumed(steps: Generator[int, int, Any], file: int, seconds: float) -> Any:
    """What a generator returns that waits for a file.  Raises TimeoutError after so many seconds."""
    until, poll = time.monotonic() + seconds, select.poll()
    try:
        wanted = next(steps)
        while True:
            events = (select.POLLIN if wanted & _READ else 0) | (select.POLLOUT if wanted & _WRITE else 0)
            poll.register(file, events)
            came = poll.poll(max(0.0, until - time.monotonic()) * 1000)
            if not came:
                raise TimeoutError
            flags = came[0][1]
            if flags & ~(select.POLLIN | select.POLLOUT):
                ready = wanted  # it has ended, as the next step will find out
            else:
                ready = (_READ if flags & select.POLLIN else 0) | (_WRITE if flags & select.POLLOUT else 0)
            wanted = steps.send(ready)
    except StopIteration as ended_with:
        return ended_with.value
