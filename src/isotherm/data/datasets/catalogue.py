"""A public data set: what it is, where it can be had, and how its files become two tables.

Sources are tried in order: the cache folder, then each source's own way. Every file is checked by its
SHA-256 before it is read, and the tables by their counts after.
"""

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from isotherm.data.interactions import Interactions
from isotherm.data.items import Items
from isotherm.data.kinds import Kind
from isotherm.errors import DatasetError
from isotherm.files import cache_folder, sha256, write_atomically

_log = logging.getLogger(__name__)

Tables = tuple[pl.DataFrame, pl.DataFrame]


class UnreachableError(Exception):
    """One source cannot be had here; the next one is tried."""


@dataclass(frozen=True)
class Source:
    """One place that a data set can be had from.

    files: name -> SHA-256.  fetch: puts these files into a folder, or raises UnreachableError.
    read: turns them into clicks (user_id, item_id, rating, timestamp) and items (item_id, fields).
    """

    description: str
    files: Mapping[str, str]
    fetch: Callable[[Path], None]
    read: Callable[[Path], Tables]


@dataclass(frozen=True)
class Dataset:
    """A public data set of the catalogue."""

    name: str
    title: str
    users: int
    items: int
    clicks: int
    licence: str
    home: str
    cite: str
    kinds: Mapping[str, Kind]
    sources: tuple[Source, ...]

    def load(self, cache: str | os.PathLike[str] | None = None) -> "LoadedDataset":
        """The data set from the first source that has it whole.

        cache: a folder, by default ISOTHERM_CACHE or the user's cache folder.
        Raises DatasetError that says what each source answered and what to do.
        """
        folder = (cache_folder() if cache is None else Path(cache)) / self.name
        answers = []
        for source in self.sources:
            problem = problem_with(folder, source.files)
            if problem is None:
                return self._read(source, folder, f"the cache folder {folder}")
            answers.append(f"{folder}: {problem}")
        for source in self.sources:
            with tempfile.TemporaryDirectory() as place:
                fetched = Path(place)
                try:
                    source.fetch(fetched)
                except UnreachableError as cause:
                    answers.append(f"{source.description}: {cause}")
                    continue
                problem = problem_with(fetched, source.files)
                if problem is not None:
                    answers.append(f"{source.description}: {problem}")
                    continue
                loaded = self._read(source, fetched, source.description)
                _keep(fetched, source.files, folder)
                return loaded
        names = " or ".join(" and ".join(source.files) for source in self.sources)
        raise DatasetError(
            f"{self.name}: no source could provide it.\n  - "
            + "\n  - ".join(answers)
            + f"\nConnect to a network, or put {names} into {folder} by hand (see {self.home})."
        )

    def _read(self, source: Source, folder: Path, origin: str) -> "LoadedDataset":
        clicks, items = source.read(folder)
        counts = (clicks["user_id"].n_unique(), items["item_id"].n_unique(), clicks.height)
        if counts != (self.users, self.items, self.clicks):
            raise DatasetError(
                f"{self.name} from {origin}: {counts[0]} users, {counts[1]} items and {counts[2]} clicks "
                f"where {self.users}, {self.items} and {self.clicks} were expected"
            )
        return LoadedDataset(self, clicks, items, origin)


@dataclass(frozen=True)
class LoadedDataset:
    """A data set's two tables, and where they came from."""

    dataset: Dataset
    clicks: pl.DataFrame
    items: pl.DataFrame
    origin: str

    def interactions(self) -> Interactions:
        """The click log; every rating is a click."""
        return Interactions.from_frame(self.clicks)

    def item_table(self) -> Items:
        """The item table with its declared kinds."""
        return Items.from_frame(self.items, kinds=self.dataset.kinds)


def problem_with(folder: Path, files: Mapping[str, str]) -> str | None:
    """What is wrong with these files, or None where each is there with its SHA-256."""
    for name, known in files.items():
        if not (folder / name).is_file():
            return f"holds no {name}"
        if sha256(folder / name) != known:
            return f"{name} is not the known file (another SHA-256)"
    return None


def _keep(fetched: Path, files: Mapping[str, str], folder: Path) -> None:
    """Copy checked files to the cache; a folder that cannot be written only costs the next run a fetch."""
    try:
        for name in files:
            write_atomically(folder / name, partial(shutil.copyfile, fetched / name))
    except OSError as cause:
        _log.warning("%s cannot be written (%s): the data is fetched again next time", folder, cause)
