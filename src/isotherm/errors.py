"""What isotherm raises when it is handed something that it cannot use.

Every message names the place (file, column, row, option) and the cure.
"""

import reprlib
from typing import Any


class IsothermError(Exception):
    """Base of all errors that a user can mend; the command line prints it as one line."""


class InteractionsError(IsothermError, ValueError):
    """A click log that cannot be used."""


class ItemsError(IsothermError, ValueError):
    """An item table that cannot be used."""


class SplitError(IsothermError, ValueError):
    """A split that would leave nothing to train on or nothing to test."""


class ParameterError(IsothermError, ValueError):
    """A hyper-parameter or option with an impossible name or value."""


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


class DatasetError(IsothermError, OSError):
    """A public data set that no source could provide."""


class TrainingError(IsothermError, RuntimeError):
    """Training that cannot go on: a loss or a result that is not a number, a checkpoint that does not fit."""


class ScoreError(IsothermError, ValueError):
    """Scores that cannot be ranked: one of them is not a number."""


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
