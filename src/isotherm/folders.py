"""Folders of several files that are written whole or not at all: models, stored logs, runs, sweeps, lists.

Each has a manifest that lists its files. New files come first, the manifest is replaced in one step, then the
files that only the old manifest lists are removed. A folder that holds anything else is never written to, and
only what a manifest lists, and what still is what its SHA-256 there says, is ever removed.
"""

import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from isotherm.errors import (
    DatasetError,
    InteractionsError,
    IsothermError,
    ModelFolderError,
    OutputError,
    ParameterError,
    TrainingError,
    brief,
    shown_path,
)
from isotherm.files import (
    DIGITS,
    Address,
    Write,
    check_names,
    check_parent,
    check_writable,
    filled,
    is_regular,
    json_writer,
    locked,
    parts_of,
    put,
    refusal,
    sha256,
    status,
    sync_folder,
    told,
)

Read = TypeVar("Read")
_HARMLESS = {"lost+found", "desktop.ini", "Thumbs.db"}  # what systems leave in an empty folder; also .*


@dataclass(frozen=True)
class FolderKind:
    """A kind of folder that isotherm writes, and how it knows one again.

    what: in messages («holds no …»).  manifest: name of its JSON file.  marks: fields that every manifest
    of the kind has, and their types.  roles: files named by their content, ROLE-<16 digits>.SUFFIX; the
    manifest's ``files`` gives role -> name.  fixed: files of fixed names; ``files`` gives name -> SHA-256.
    numbered: files named NAME-<5 digits or more>.parquet; ``files`` gives name -> SHA-256, too.
    error: raised where a folder is refused.
    """

    what: str
    manifest: str
    marks: Mapping[str, type]
    error: type[IsothermError]
    roles: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    numbered: tuple[str, ...] = ()

    def digests(self, document: Any) -> dict[str, str]:
        """Name -> SHA-256 (or its beginning) of the files that a manifest lists and its kind can own."""
        files = document.get("files") if isinstance(document, dict) else None
        found: dict[str, str] = {}
        for key, value in files.items() if isinstance(files, dict) else ():
            if not isinstance(value, str):
                continue
            named = re.fullmatch(rf"{re.escape(key)}-([0-9a-f]{{{DIGITS}}})\.[a-z]+", value)
            if key in self.roles and named:
                found[value] = named[1]
            elif self.has_name(key) and re.fullmatch("[0-9a-f]{64}", value):
                found[key] = value
        return found

    def has_name(self, name: str) -> bool:
        """Whether a file of this name is one whose SHA-256 a manifest lists."""
        return name in self.fixed or any(
            re.fullmatch(rf"{each}-[0-9]{{5,}}\.parquet", name) for each in self.numbered
        )

    def names(self) -> list[str]:
        """Names like those of the files that lie in such a folder."""
        if self.numbered:
            return [self.manifest, *(f"{name}-00000.parquet" for name in self.numbered)]
        roles = self.roles or STORED_LOG.roles  # a sweep keeps a log in it
        return [self.manifest, *self.fixed, *(f"{role}-{'0' * DIGITS}.parquet" for role in roles)]

    def is_manifest(self, document: Any) -> bool:
        """Whether a JSON document is a manifest of this kind."""
        return isinstance(document, dict) and all(
            type(document.get(field)) is kind for field, kind in self.marks.items()
        )


MODEL = FolderKind(
    what="saved model",
    manifest="model.json",
    marks={"format": int, "isotherm": str, "model": str, "files": dict},
    error=ModelFolderError,
    roles=("arrays", "users", "items"),
)
STORED_LOG = FolderKind(
    what="stored log",
    manifest="clicks.json",
    marks={"format": int, "isotherm": str, "shape": list, "files": dict},
    error=InteractionsError,
    roles=("indptr", "indices", "data", "users", "items", "timestamps"),
)
RUN = FolderKind(
    what="training run",
    manifest="checkpoint.json",
    marks={"fingerprint": dict, "files": dict},
    error=TrainingError,
    roles=("checkpoint",),
)
SWEEP = FolderKind(
    what="sweep",
    manifest="plan.json",
    marks={"model": str, "settings": dict, "cells": dict, "log": str},
    error=ParameterError,
)
DATASET = FolderKind(
    what="data set that isotherm wrote",
    manifest="dataset.json",
    marks={"isotherm": str, "dataset": str, "files": dict},
    error=DatasetError,
    fixed=("interactions.parquet", "items.parquet"),
)
DEMO = FolderKind(
    what="demo",
    manifest="demo.json",
    marks={"isotherm": str, "demo": str, "files": dict},
    error=ParameterError,
    fixed=(
        "report.html",
        "report-in-time.html",
        "evaluation.json",
        "evaluation-in-time.json",
        "recommendations.parquet",
        "items.parquet",
    ),
)
EXPERIMENT_DEMO = FolderKind(
    what="demo of an experiment",
    manifest="experiment-demo.json",
    marks={"isotherm": str, "seed": int, "files": dict},
    error=ParameterError,
    fixed=(
        "report.html",
        "result.json",
        "plan.json",
        "events.parquet",
        "assignments.parquet",
        "exposures.parquet",
    ),
)
RECOMMENDATIONS = FolderKind(
    what="lists of recommendations",
    manifest="recommendations.json",
    marks={"isotherm": str, "settings": dict, "complete": bool, "parts": int, "files": dict},
    error=OutputError,
    numbered=("part",),
)


def check_folder(path: Address, kind: FolderKind) -> None:
    """Raise ``kind.error`` where a folder of this kind cannot be written to ``path``.

    It must be absent, empty, or hold a manifest of this very kind. Hidden files are left alone and do not
    count; files that a manifest lists must be what was written.
    """
    path = Path(path)
    check_names(path, kind.error)
    found = status(path, kind.error)
    if found is None:
        check_parent(path, kind.error)
        return
    if not stat.S_ISDIR(found.st_mode):
        what = "a file" if stat.S_ISREG(found.st_mode) else "no folder"
        raise kind.error(f"{shown_path(path)}: is {what}; a {kind.what} is kept in a folder: name another")
    _check_content(path, kind)
    check_writable(path, path, kind.error)


def manifest_of(folder: Path, kind: FolderKind) -> dict[str, Any] | None:
    """The manifest in ``folder``, or None where there is none of this kind."""
    document = _document(folder / kind.manifest)
    return document if kind.is_manifest(document) else None


class Save:
    """One save to a folder: files of new content first, then ``commit`` makes them the folder's."""

    def __init__(self, folder: Path, kind: FolderKind) -> None:
        self.folder, self.kind = folder, kind
        self._fresh: dict[Path, str] = {}

    def by_content(self, role: str, suffix: str, write: Write) -> str:
        """Let ``write`` fill a file; returns its name, ROLE-<16 digits of SHA-256>SUFFIX."""
        with told(self.folder / f"{role}{suffix}"):
            temporary = filled(self.folder, role, write)
            self._fresh[temporary] = f"{role}-{sha256(temporary)[:DIGITS]}{suffix}"
        return self._fresh[temporary]

    def fixed(self, name: str, write: Write) -> str:
        """Let ``write`` fill the file ``name``; returns its SHA-256."""
        with told(self.folder / name):
            temporary = filled(self.folder, name, write)
            self._fresh[temporary] = name
            return sha256(temporary)

    def commit(self, document: Mapping[str, Any]) -> None:
        """Put all files in place, replace the manifest, and remove what only older manifests list.

        The new manifest, and a copy of the old, lie beside as temporary files meanwhile: whatever moment
        a kill hits, each file is listed somewhere.
        """
        folder, manifest = self.folder, self.kind.manifest
        with told(folder / manifest):
            fresh = self._journal(document)
            for temporary, name in list(self._fresh.items()):
                os.replace(temporary, folder / name)
                del self._fresh[temporary]
            sync_folder(folder)
            put(fresh, folder / manifest)
        self._remove_old()

    def _journal(self, document: Mapping[str, Any]) -> Path:
        """The new manifest and a copy of the old as temporary files; returns the new one."""
        old = self.folder / self.kind.manifest
        fresh = filled(self.folder, old.name, json_writer(document))
        try:
            if old.is_file():
                filled(self.folder, old.name, lambda file: file.write_bytes(old.read_bytes()))
        except BaseException:
            fresh.unlink()
            raise
        return fresh

    def _remove_old(self) -> None:
        """Remove what only older manifests list, and these; a file that is no longer as listed stays."""
        kept = self.kind.digests(_document(self.folder / self.kind.manifest))
        journals = parts_of(self.folder, self.kind.manifest)
        old = {file for part in journals for file in self.kind.digests(_document(part)).items()}
        with suppress(OSError):  # the save is done, whatever happens to what is left
            for name, digest in old:
                file = self.folder / name
                if name not in kept and is_regular(file) and sha256(file).startswith(digest):
                    file.unlink()
            for part in journals:
                part.unlink()

    def drop(self) -> None:
        """Remove the temporary files that were not put in place."""
        for temporary in self._fresh:
            temporary.unlink(missing_ok=True)


def read_whole(path: Address, kind: FolderKind, read: Callable[[Path], Read]) -> Read:
    """What ``read`` makes of the folder ``path``; it reads again where a save came between.

    Raises ``kind.error``, as ``read`` does, where what no save touched cannot be read.
    """
    folder = Path(path)
    check_names(folder, kind.error)
    while True:
        before = _written(folder, kind)
        try:
            return read(folder)
        except kind.error:
            if _written(folder, kind) == before:
                raise  # else a save came between: what it left is whole


def _written(folder: Path, kind: FolderKind) -> tuple[int, ...] | None:
    """What tells the manifest in ``folder`` from the one that replaces it; None where there is none."""
    try:
        told = (folder / kind.manifest).stat()
    except OSError:
        return None
    return told.st_ino, told.st_mtime_ns, told.st_size


@contextmanager
def saving(path: Address, kind: FolderKind) -> Iterator[Save]:
    """One save to the folder ``path``, whole or not at all, also against another save at the same time.

    Raises ``kind.error`` where ``check_folder`` does, OutputError where it cannot be written.
    """
    check_folder(path, kind)
    folder = Path(os.path.realpath(path))
    made = not folder.exists()
    try:
        with locked(folder) as has_locks, saving_locked(folder, kind, clear=has_locks) as save:
            yield save
    finally:
        if made:
            with suppress(OSError):
                folder.rmdir()  # where nothing was written


@contextmanager
def saving_locked(folder: Path, kind: FolderKind, clear: bool = True) -> Iterator[Save]:
    """``saving`` for who holds the lock of ``folder`` already.

    clear: remove the temporary files that killed saves left.
    """
    _check_content(folder, kind)  # again: another save may have come first
    for name in (*kind.roles, *kind.fixed, *_numbered_in_part(folder, kind)) if clear else ():
        for part in parts_of(folder, name):
            part.unlink(missing_ok=True)
    save = Save(folder, kind)
    try:
        yield save
    finally:
        save.drop()


def discard(folder: Path, kind: FolderKind, others: Iterable[str] = ()) -> None:
    """Remove a folder's manifest, the files that it lists and those named in ``others``.

    The folder goes with them where nothing else is in it. Nothing happens where it holds no such manifest.
    """
    document = manifest_of(folder, kind)
    if document is None:
        return
    for name in (kind.manifest, *kind.digests(document), *others):
        if is_regular(folder / name):
            (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def _numbered_in_part(folder: Path, kind: FolderKind) -> set[str]:
    """Names of the numbered files that were being filled."""
    names = (re.fullmatch(r"\.(.+)\.[0-9a-f]{8}\.part", each) for each in os.listdir(folder))
    return {name[1] for name in names if name and name[1] not in kind.fixed and kind.has_name(name[1])}


def _document(file: Path) -> Any:
    """What a JSON file says, or None where it is none."""
    if not file.is_file():
        return None
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _check_content(folder: Path, kind: FolderKind) -> None:
    """Refuse a folder with anything in it that is not ours.

    Names come before manifests: a save that goes on meanwhile cannot come between unseen.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError as cause:
        raise kind.error(refusal(folder, cause.errno or 0)) from cause
    listings = [_document(part) for part in parts_of(folder, kind.manifest)]
    manifest = manifest_of(folder, kind)
    known: dict[str, set[str]] = {}
    for document in (*listings, manifest):
        for name, digest in kind.digests(document).items():
            known.setdefault(name, set()).add(digest)
    ours = manifest is not None
    ignored = {name for name in names if name.startswith(".")} | _HARMLESS | set(known)
    others = [name for name in names if name not in ignored]
    if not ours and others:
        raise kind.error(_in_the_way(folder, kind, others))
    for name in filter(kind.has_name, names):
        if not _is_ours(folder / name, known.get(name, set())):
            raise kind.error(
                f"{shown_path(folder / name)}: is not what isotherm wrote there; "
                "move it away, or name another folder"
            )


def _is_ours(file: Path, digests: set[str]) -> bool:
    return bool(digests) and is_regular(file) and sha256(file) in digests


def _in_the_way(folder: Path, kind: FolderKind, names: list[str]) -> str:
    shown = ", ".join(brief(name)[1:-1] for name in names[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    verb = "are" if len(names) > 1 else "is"
    return (
        f"{shown_path(folder)}: is not empty and holds no {kind.what} ({shown}{more} {verb} in the way); "
        "name another folder, or an empty one"
    )
