"""A folder of Parquet parts, one for each block of users: a run that was cut off goes on where it was.

``recommendations.json`` says of which model and settings the parts are, and lists those that are whole.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from isotherm.errors import OutputError, shown_path
from isotherm.files import Address, locked, streamed
from isotherm.folders import RECOMMENDATIONS, Save, check_folder, manifest_of, saving_locked
from isotherm.models.bulk.list_file import write_parquet
from isotherm.version import __version__

Settings = Mapping[str, str | int | bool | None]  #: all that the lists follow from; plain JSON
#: the lists from a block on
Blocks = Callable[[int], Iterator[pl.DataFrame]]


class ListParts:
    """The folder of one run.

    path: absent, empty, or with parts of a run.  settings: name -> value, or SHA-256 of what is read. A
    folder whose parts follow from others is refused.
    """

    def __init__(self, path: Address, settings: Settings) -> None:
        check_folder(path, RECOMMENDATIONS)
        self.path, self.settings = Path(path), dict(settings)

    @contextmanager
    def held(self) -> Iterator["OpenParts"]:
        """Keep other runs out, and clear what a killed one left.

        Raises OutputError where another run is at work, or the parts are of another model or settings.
        """
        try:
            with locked(self.path, wait=False) as has_locks:
                self._check_same()
                with saving_locked(self.path, RECOMMENDATIONS, clear=has_locks) as save:
                    yield OpenParts(save, self.settings)
        except BlockingIOError as cause:
            raise OutputError(
                f"{shown_path(self.path)}: another run is at work here; wait for it, or name another folder"
            ) from cause

    def _check_same(self) -> None:
        document = manifest_of(self.path, RECOMMENDATIONS)
        if document is None:
            return
        there = document["settings"]
        names = [*self.settings, *(name for name in there if name not in self.settings)]
        differ = [name for name in names if self.settings.get(name) != there.get(name)]
        if document["isotherm"] != __version__:
            differ.append("the version of isotherm")
        if differ:
            raise OutputError(
                f"{shown_path(self.path)}: holds lists that were made otherwise: {', '.join(differ)} "
                f"{'differs' if len(differ) == 1 else 'differ'}; name another folder, or remove that one"
            )


class OpenParts:
    """The parts while the folder is held."""

    def __init__(self, save: Save, settings: Settings) -> None:
        self._save, self._settings = save, settings
        document = manifest_of(save.folder, RECOMMENDATIONS) or {}
        self._listed = {
            name: digest
            for name, digest in RECOMMENDATIONS.digests(document).items()
            if (save.folder / name).is_file()  # what it holds was looked at when the folder was checked
        }
        self.n_before = next(n for n in range(len(self._listed) + 1) if part_name(n) not in self._listed)
        self.is_complete = document.get("complete") is True and self.n_before == document["parts"]

    def write(self, blocks: Blocks) -> Iterator[pl.DataFrame]:
        """Write each part that is missing; gives each block once it is on disk."""
        if self.is_complete:
            return
        for number, block in enumerate(blocks(self.n_before), self.n_before):
            name = part_name(number)
            self._listed[name] = self._save.fixed(name, streamed(_writer(block)))
            self._commit(complete=False)
            yield block
        self._commit(complete=True)

    def _commit(self, complete: bool) -> None:
        document: dict[str, Any] = {
            "isotherm": __version__,
            "settings": dict(self._settings),
            "complete": complete,
            "parts": len(self._listed),
            "files": dict(sorted(self._listed.items())),
        }
        self._save.commit(document)


def part_name(number: int) -> str:
    """The file of a part, numbered from 0."""
    return f"part-{number:05}.parquet"


def _writer(block: pl.DataFrame) -> Callable[[Any], None]:
    return lambda stream: write_parquet([block], stream)
