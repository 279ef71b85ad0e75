"""Keeps a live model as the database says: the items and the model that any worker put there.

A number in the database rises with each change. Whoever answers compares it first, and takes what is new; so
what one worker acknowledged, the next answer of every worker shows. Another model is loaded in the
background: until it is there, the one before answers.
"""

import hashlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from isotherm.errors import IsothermError, ModelFolderError, ParameterError, one_line
from isotherm.models.base import Recommender
from isotherm.models.persistence import MANIFEST, load
from isotherm.serving.catalogue.items import LiveItem
from isotherm.serving.catalogue.readable import followed, of_readable, with_readable
from isotherm.serving.catalogue.snapshot import FittedModel, Snapshot
from isotherm.serving.database import Database, ModelSwap, OnAir
from isotherm.serving.database.database import Of
from isotherm.serving.live.model import LiveModel
from isotherm.serving.live.probes import check_answers, probe_histories
from isotherm.serving.shared.stored import live_item

_log = logging.getLogger(__name__)
MOST_LEFT = 32  #: columns that items left, before a snapshot is made anew
RETRY_SECONDS = 60.0  #: after which a model that could not be loaded is tried again

Load = Callable[[str], Recommender]


def load_mapped(folder: str) -> Recommender:
    """A saved model, its weights left in the file, which all workers share."""
    return load(folder, mapped=True)


@dataclass(frozen=True)
class FailedSwap:
    """A model that should be on the air, and why it is not.  at: of the monotonic clock."""

    generation: int
    model: str
    reason: str
    at: float


@dataclass(frozen=True)
class Chosen:
    """A model that was loaded to go on the air.

    folder: where from.  given: the folder that the server was told to serve.  seen: version of the newest
    swap by which it was chosen.
    """

    model: Recommender
    folder: str
    given: str
    seen: int

    @property
    def name(self) -> str:
        """Told in answers."""
        return Path(self.folder).name or self.folder


def choose_model(folder: str, database: Database, load: Load, of: Of = None) -> Chosen:
    """The model that is on the air by the database, or that of ``folder`` where none is.

    A server that is told to serve another folder than before serves that one. Where the model on the air
    cannot be loaded any more, it is that of ``folder``, and the log says so.
    of: the experiment and its arm whose model it is. Raises ModelFolderError where ``folder`` holds none.
    """
    given = real_folder(folder)
    swaps = database.last_swaps(1, of)
    seen = swaps[0].version if swaps else 0
    path = swaps[0].path if swaps and database.started_with(of) == given else ""
    if path in ("", given):
        return Chosen(load(given), given, given, seen)
    try:
        model = load(path)
    except IsothermError as cause:
        _log.warning("%s is on the air, but cannot be loaded (%s); serving %s", path, cause, given)
        return Chosen(load(given), given, given, seen)
    _log.info("%s was put on the air after %s; serving it", path, given)
    return Chosen(model, path, given, seen)


class Follower:
    """A live model that follows a database.  folder: where the model was loaded from, "" for nowhere.

    given: the folder that the server was told to serve.  seen: version of the newest swap by which the model
    was chosen.  load: how another model is loaded.  of: the experiment and its arm whose model it is; None
    for the server's own.
    """

    def __init__(
        self,
        live: LiveModel,
        database: Database,
        folder: str,
        given: str,
        seen: int = 0,
        load: Load = load_mapped,
        of: Of = None,
    ) -> None:
        self.live = live
        self._database, self._load, self._of = database, load, of
        self._lock = threading.RLock()  # held while the snapshot is exchanged
        self._swapping = threading.Lock()
        self._loader: threading.Thread | None = None
        self._before: tuple[int, FittedModel] | None = None
        self.failed: FailedSwap | None = None
        self.version = 0
        content = content_of(folder) if folder else None
        database.log_start(folder, live.snapshot.fitted.name, content, given, seen, of)
        self.on_air: OnAir = database.on_air(of)
        now = self.on_air.now
        is_this = now is not None and (now.path, now.content) == (folder, content)
        self._generation = now.generation if now is not None and is_this else 0
        self.catch_up()

    @property
    def is_loading(self) -> bool:
        """Whether another model is being loaded to go on the air."""
        return self._loader is not None

    def catch_up(self) -> None:
        """Take what any worker changed. Raises DatabaseError where the database cannot be reached."""
        self.reach(self._database.version())

    def reach(self, version: int) -> None:
        """Take the changes up to this version of the database at least."""
        if version <= self.version:
            return
        with self._lock:
            while self.version < version:
                changes = self._database.items_changed_since(self.version)
                if changes.items:
                    self._take([live_item(item) for item in changes.items])
                self.version = changes.version
            self.on_air = self._database.on_air(self._of)
            now = self.on_air.now
            if self.failed is not None and now is not None and now.generation != self.failed.generation:
                self.failed = None
            self._follow()

    def reach_with(self, version: int, base: Snapshot, beside: Snapshot) -> None:
        """``reach``, where ``beside`` is ``base`` with all that changed at this version."""
        with self._lock:
            if self.version == version - 1 and self.live.snapshot is base:
                self.live.exchange(beside)
                self.version = version
        self.reach(version)

    def swap(self, folder: str) -> None:
        """Put a saved model on the air, here at once and with the other workers as soon as they loaded it.

        Raises ModelFolderError where there is none, or it does not answer the probes: nothing changes then.
        """
        folder = real_folder(folder)
        name = Path(folder).name or folder
        with self._swapping:
            content = content_of(folder)
            with _by_name(folder, name):
                fitted = FittedModel(name, self._load(folder)._fitted())
            self.catch_up()
            base = self.live.snapshot
            beside = of_readable(fitted, base)
            check_answers(beside, probe_histories(base))
            with self._lock:
                version = self._database.log_swap(folder, name, content=content, of=self._of)
                self._put_on_air(version, base, beside)
                self.reach(version)

    def roll_back(self) -> None:
        """Put the model before on the air again, here at once and with the other workers.

        Raises ParameterError where there was none, ModelFolderError where it is gone: nothing changes then.
        """
        with self._swapping:
            self.catch_up()
            before = self.on_air.before
            if before is None:
                raise ParameterError("there is no model to go back to; swap to one")
            with _by_name(before.path, before.model):
                fitted = self._fitted(before)
            base = self.live.snapshot
            beside = of_readable(fitted, base)
            with self._lock:
                version = self._database.log_swap(
                    before.path, before.model, "rollback", before.generation, before.content, self._of
                )
                self._put_on_air(before.generation, base, beside)
                self.reach(version)

    def compact(self) -> None:
        """Make the snapshot anew where items left many columns; answers go on meanwhile."""
        base = self.live.snapshot
        n_left, n_added = len(base.catalogue.left), base.model.n_items - len(base.fitted.items)
        if n_left < max(MOST_LEFT, n_added // 2):
            return
        beside = of_readable(base.fitted, base)
        with self._lock:
            now = self.live.snapshot
            if now.fitted is base.fitted:
                self.live.exchange(followed(beside, base, now))

    def retry(self) -> None:
        """Load a model again that could not be loaded, where some time went by."""
        with self._lock:
            if self.failed is not None:
                self._follow()

    def wait(self, most_seconds: float | None = None) -> None:
        """Until no other model is being loaded."""
        loader = self._loader
        if loader is not None:
            loader.join(most_seconds)

    def _take(self, items: list[LiveItem]) -> None:
        self.live.exchange(with_readable(self.live.snapshot, items))

    def _put_on_air(self, generation: int, base: Snapshot, beside: Snapshot) -> None:
        """Exchange ``base`` for ``beside``, a snapshot of another model; the lock is held."""
        now = self.live.snapshot
        beside = followed(beside, base, now)
        self._before = self._generation, now.fitted
        self._generation = generation
        self.live.exchange(beside)
        self.failed = None
        _log.info("%s is on the air", beside.fitted.name)

    def _follow(self) -> None:
        """Load the model that is on the air elsewhere, in the background; the lock is held."""
        wanted, failed = self.on_air.now, self.failed
        if wanted is None or wanted.generation == self._generation or self._loader is not None:
            return
        is_failed = failed is not None and failed.generation == wanted.generation
        if failed is not None and is_failed and time.monotonic() - failed.at < RETRY_SECONDS:
            return
        self._loader = threading.Thread(target=self._load_wanted, name="isotherm-swap", daemon=True)
        self._loader.start()

    def _load_wanted(self) -> None:
        """Until this worker has the model that the database names, or could not load it."""
        tried = 0
        while True:
            with self._lock:
                wanted = self.on_air.now
                if wanted is None or wanted.generation in (self._generation, tried):
                    self._loader = None
                    return
            tried = wanted.generation
            try:
                self._load_one(wanted)
            except Exception as cause:
                _log.exception("%s of %s cannot go on the air here", wanted.model, wanted.path)
                words = type(cause).__name__
                if isinstance(cause, IsothermError):
                    words = one_line(without_folders(str(cause), wanted.path, wanted.model))
                self.failed = FailedSwap(wanted.generation, wanted.model, words, time.monotonic())

    def _load_one(self, wanted: ModelSwap) -> None:
        fitted, base = self._fitted(wanted), self.live.snapshot
        beside = of_readable(fitted, base)
        with self._lock:
            now = self.on_air.now
            if now is not None and now.generation == wanted.generation:  # no other came meanwhile
                self._put_on_air(wanted.generation, base, beside)

    def _fitted(self, wanted: ModelSwap) -> FittedModel:
        """A model that was on the air: the one that is held in memory, or that of its folder."""
        before = self._before
        if before is not None and before[0] == wanted.generation:
            return before[1]
        if not wanted.path:
            raise ModelFolderError(f"{wanted.model} was never saved; swap to the folder of a model")
        if content_of(wanted.path) != wanted.content and wanted.content is not None:
            raise ModelFolderError(
                f"{wanted.path}: another model was saved there since; swap to the folder of a model"
            )
        return FittedModel(wanted.model, self._load(wanted.path)._fitted())


@contextmanager
def _by_name(folder: str, name: str) -> Iterator[None]:
    """Refuse a model that cannot be loaded by its name: the log alone tells where it lies."""
    try:
        yield
    except IsothermError as cause:
        _log.warning("%s cannot go on the air: %s", folder, cause)
        raise ModelFolderError(without_folders(str(cause), folder, name)) from cause


def without_folders(words: str, folder: str, name: str) -> str:
    """What is said of a model's folder, with its name in place of its path, and of other paths their ends.

    >>> from isotherm.serving.shared.following import without_folders
    >>> without_folders("/srv/x/model.json: is missing; copy /mnt/y again", "/srv/x", "x")
    'x/model.json: is missing; copy y again'
    """
    told = words.replace(folder, name) if len(folder) > 1 else words
    if told.startswith(os.sep):  # a path that was too long to be told whole
        told = name + told[len(told.partition(": ")[0]) :]
    return re.sub(r"(?<!\w)/[^\s:;,]*/|(?<![\w/])/(?=[^\s/])", "", told)


def content_of(folder: str) -> str | None:
    """What tells the model in a folder from another that is saved there later; None where there is none."""
    try:
        return hashlib.sha256(Path(folder, MANIFEST).read_bytes()).hexdigest()
    except (OSError, ValueError):
        return None


def real_folder(folder: str) -> str:
    """Where a folder is, whatever links lead to it: a link may lead elsewhere when one goes back to it."""
    try:
        return os.path.realpath(folder)
    except (OSError, ValueError):  # what it is not is told where it is loaded
        return os.path.abspath(folder)
