"""What isotherm raises when it is handed something that it cannot use.

Every message names the place (file, column, row, option) and the cure. The whole tree, each beside the
built-in error that it also is:

IsothermError                   base of all that a user can mend
├── InteractionsError           (ValueError) a click log
├── ItemsError                  (ValueError) an item table
├── EventLogError               (ValueError) the event log of an experiment
├── SplitError                  (ValueError) a split that leaves nothing to train on or to test
├── ParameterError              (ValueError) a hyper-parameter or an option
├── LimitError                  (ValueError) more than a server allows in one request
├── UnknownIdError              (KeyError) a user or an item that the model has never seen
├── NotFittedError              (RuntimeError) a model before fit()
├── UnsupportedError            (NotImplementedError) what a model cannot do by its nature
├── ModelFolderError            (OSError) a saved model, missing, damaged or newer
├── OutputError                 (OSError) a file or folder that cannot or must not be written
├── DatabaseError               (OSError) the database of serving: out of reach, damaged, newer
│   └── SilentDatabaseError     (OSError) one that did not answer in time
├── DatasetError                (OSError) a public data set that no source could provide
├── TrainingError               (RuntimeError) training that cannot go on
├── PracticeError                (RuntimeError) the server of the practice platform, which failed
├── ScoreError                  (ValueError) scores that cannot be ranked
├── OverlapError                (ValueError) a log that says too little of another policy
└── MissingPackageError         (ImportError) an optional part that is not installed

Anything else that reaches a user of the command line is told in one line as well, by ``told``.
"""

import os
import reprlib
from typing import Any

BAD_INPUT, USAGE, BUG, PIPE_CLOSED = 1, 2, 70, 141  #: exit codes of the command line
_LONGEST = 900  # characters of a line of error
_LIBRARIES = ("polars", "pyarrow", "safetensors", "torch", "optuna", "PIL", "safetensors_rust")
_NO_MEMORY = ("can't allocate memory", "out of memory", "bad_alloc", "bad allocation")
_PATH = 200  # characters of a path in a message


class IsothermError(Exception):
    """Base of all errors that a user can mend; the command line prints it as one line."""


class InteractionsError(IsothermError, ValueError):
    """A click log that cannot be used."""


class ItemsError(IsothermError, ValueError):
    """An item table that cannot be used."""


class EventLogError(IsothermError, ValueError):
    """The event log of an experiment, of which a file, a column or a row cannot be used."""


class SplitError(IsothermError, ValueError):
    """A split that would leave nothing to train on or nothing to test."""


class ParameterError(IsothermError, ValueError):
    """A hyper-parameter or option with an impossible name or value."""


class LimitError(IsothermError, ValueError):
    """More than a server allows in one request.  limit: the name of what is exceeded."""

    def __init__(self, message: str, limit: str) -> None:
        super().__init__(message)
        self.limit = limit


class UnknownIdError(IsothermError, KeyError):
    """A user or item id that the model has never seen."""

    def __str__(self) -> str:  # KeyError would print the message in quotes
        return str(self.args[0])


class NotFittedError(IsothermError, RuntimeError):
    """A model asked for something before fit()."""


class UnsupportedError(IsothermError, NotImplementedError):
    """A model asked for something that it cannot do by its nature."""


class ModelFolderError(IsothermError, OSError):
    """A saved model that is missing, damaged, or from a newer isotherm."""


class OutputError(IsothermError, OSError):
    """A file or folder that cannot be written, or must not be: it would cost what is there."""


class DatabaseError(IsothermError, OSError):
    """The database of serving: one that cannot be opened, is damaged or busy, or is of a newer isotherm."""


class SilentDatabaseError(DatabaseError):
    """A database that did not answer in time."""


class DatasetError(IsothermError, OSError):
    """A public data set that no source could provide."""


class TrainingError(IsothermError, RuntimeError):
    """Training that cannot go on: a loss or a result that is not a number, a checkpoint that does not fit."""


class PracticeError(IsothermError, RuntimeError):
    """The server of the practice platform did not start, answer or end as it must."""


class ScoreError(IsothermError, ValueError):
    """Scores that cannot be ranked: one of them is not a number."""


class OverlapError(IsothermError, ValueError):
    """A log from which what another policy would get cannot be told: it showed too little of the same."""


class MissingPackageError(IsothermError, ImportError):
    """An optional part of isotherm whose packages are not installed."""


def brief(value: Any) -> str:
    """``repr`` of a value for a message: on one line and short, whatever it holds."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 60
    try:
        text = short.repr(value)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a number of thousands of digits"
    return " ".join(text.split())


def told(error: BaseException) -> tuple[str, int]:
    """One line that tells a person of an error, and the exit code of the command that met it."""
    words = str(error).strip()
    library = type(error).__module__.partition(".")[0]
    if isinstance(error, IsothermError):
        text = words
    elif isinstance(error, MemoryError) or any(sign in words.lower() for sign in _NO_MEMORY):
        text = f"out of memory{_after_colon(words)}; take fewer items or users, or a machine with more memory"
    elif isinstance(error, OSError):
        place = "" if error.filename is None else f"{_path(error.filename)}: "
        text = place + (error.strerror or words or type(error).__name__)
    elif isinstance(error, ImportError):
        text = f"a package cannot be imported{_after_colon(words)}; install isotherm anew"
    elif library in _LIBRARIES:
        text = f"{library.removesuffix('_rust')}: {words}"
    else:
        name = f"{type(error).__name__}{_after_colon(words)}"
        text = f"this is a bug in isotherm, please report it: {name} (ISOTHERM_DEBUG=1 shows where)"
        return f"error: {one_line(text)}", BUG
    return f"error: {one_line(text)}", BAD_INPUT


def one_line(text: str, longest: int = _LONGEST) -> str:
    """``text`` without line breaks and control characters, its middle cut out where it is too long."""
    flat = " ".join(text.split())
    plain = "".join(c if c.isprintable() or 0xDC80 <= ord(c) <= 0xDCFF else ascii(c)[1:-1] for c in flat)
    if len(plain) <= longest:
        return plain
    return f"{plain[: longest * 2 // 3]} … {plain[-(longest // 3) + 3 :]}"


def _after_colon(words: str) -> str:
    return f": {words.rstrip('.')}" if words else ""


def _path(name: Any) -> str:
    return os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else str(name)


def shown_path(path: str | os.PathLike[str]) -> str:
    """A path for a message: bytes that are no text and control characters are escaped, its middle left out
    where it is longer than any message should be."""
    text = os.fspath(path)
    shown = text if text.isprintable() else repr(text)[1:-1]
    return shown if len(shown) <= _PATH else f"{shown[:60]}…{shown[-100:]}"
