"""Altair, which asks for a home directory when it is imported, for processes that have none.

A container's user often has neither HOME nor an entry in the system's list of users. Nothing is read or
written there: the reports use no data sets of Altair's.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def _with_home() -> Iterator[None]:
    """HOME is the folder for temporary files meanwhile, where there is no home directory."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = tempfile.gettempdir()
        try:
            yield
        finally:
            del os.environ["HOME"]
    else:
        yield


with _with_home():
    import altair as alt

__all__ = ["alt"]
