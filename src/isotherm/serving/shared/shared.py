"""The model on the air as all workers have it: what one of them was told, the next answer of each shows."""

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import polars as pl

from isotherm.data import IdMap
from isotherm.errors import DatabaseError, IsothermError, ItemsError, UnknownIdError, brief
from isotherm.experiment.plan import Experiment
from isotherm.models.requests.explanation import Explanation
from isotherm.serving.catalogue.items import Id, LiveItem, id_like
from isotherm.serving.catalogue.readable import left_out
from isotherm.serving.catalogue.snapshot import Snapshot
from isotherm.serving.database import Chances, Database, Event, EventCounts, OnAir
from isotherm.serving.live.audience import Audience, Sayings
from isotherm.serving.live.model import LiveModel
from isotherm.serving.live.requests import Answer, Asker, ExperimentAnswer, Rules
from isotherm.serving.shared.experiments import Placed, RunningExperiments
from isotherm.serving.shared.exposure_log import ExposureLog
from isotherm.serving.shared.following import FailedSwap, Follower, Load, choose_model, load_mapped
from isotherm.serving.shared.stored import live_item, stored_items

_log = logging.getLogger(__name__)
_MOST_CLICKS = 100_000  # of a user, newest first: all of them are seen
_LOOK_SECONDS, _LOOK_ELSEWHERE_SECONDS = 0.025, 0.1  # for what other workers changed: on this machine or not
_NOBODYS = -(2**62) - 1  # an id that no item has
_TICK_SECONDS = 1.0  # for everything else
_ENDING_SECONDS = 10.0  # that the end waits for what runs in the background
_TICKS_OF_RETENTION = 3600


class SharedModel:
    """A live model whose items, users' histories and model all workers of a database have in common.

    Each answer first reads what is new there. A change is checked against the model, then kept in the
    database, and then shown: what fails leaves everything as it was.

    live: answers with the model that this process loaded.  database: who opened it closes it.
    folder: where the model was loaded from; "" for nowhere.  given: the folder that the server was told to
    serve, where that is another.  seen: version of the newest swap by which the model was chosen.
    load: how another model is loaded.  exposure_days: so long it is kept what was shown to whom.
    experiments: those that run, which the database knows; a user who is in one is answered as its arm says.

    >>> from isotherm import EASE, Interactions
    >>> from scipy.sparse import csr_array
    >>> from isotherm.serving.database import Database
    >>> from isotherm.serving.live.model import LiveModel
    >>> from isotherm.serving.live.requests import Asker
    >>> from isotherm.serving.shared.shared import SharedModel
    >>> x = csr_array([[1, 1, 0], [1, 1, 1], [1, 0, 0]])
    >>> clicks = Interactions.from_csr(x, ["ann", "bob", "cat"], ["tea", "cup", "pot"])
    >>> database = Database.open("sqlite:///shared.db")
    >>> shared = SharedModel(LiveModel(EASE(l2=1.0).fit(clicks)), database)
    >>> shared.add_events([{"id": 1, "type": "click", "user": "dan", "item": "cup"}]).new
    1
    >>> [item.item_id for item in shared.recommend(Asker(user="dan"), k=2).items]
    ['tea', 'pot']
    >>> shared.close(), database.close()
    (None, None)
    """

    def __init__(
        self,
        live: LiveModel,
        database: Database,
        folder: str = "",
        given: str | None = None,
        *,
        seen: int = 0,
        load: Load = load_mapped,
        exposure_days: float = 90.0,
        experiments: Sequence[Experiment] = (),
    ) -> None:
        self._database = database
        self._live = live
        self._following = Follower(live, database, folder, folder if given is None else given, seen, load)
        self.exposures = ExposureLog(database, exposure_days)
        self.experiments = RunningExperiments(experiments, database, live, load)
        self._followers = (self._following, *self.experiments.followers)
        self._stop = threading.Event()
        self._keeper: threading.Thread | None = None
        self._is_told = False

    @classmethod
    def open(cls, folder: str, database: Database, *, load: Load = load_mapped, **options: Any) -> Self:
        """The model that is on the air by the database, or that of ``folder`` where none is.

        A server that is told to serve another folder than before serves that one. Where the model on the air
        cannot be loaded any more, it is that of ``folder``, and the log says so.
        options: as of the constructor. Raises ModelFolderError where ``folder`` holds no model.
        """
        chosen = choose_model(folder, database, load)
        live = LiveModel(chosen.model, chosen.name)
        return cls(live, database, chosen.folder, chosen.given, seen=chosen.seen, load=load, **options)

    # what it is

    @property
    def snapshot(self) -> Snapshot:
        """What is on the air now, with all that was changed until now, as far as the database tells it."""
        self._catch_up()
        return self._live.snapshot

    def check_database(self) -> None:
        """Raise DatabaseError where the database does not tell what was changed until now."""
        self._following.catch_up()

    @property
    def seconds_behind(self) -> float:
        """Since the database told last what was changed; asks it nothing."""
        return time.monotonic() - self._database.answered

    def _reach(self, version: int) -> None:
        """Take the changes up to this version of the database at least, for every model."""
        for follower in self._followers:
            follower.reach(version)

    def _catch_up(self) -> None:
        """Take what any worker changed. Where the database does not tell it, what is there goes on; who can
        read it no more, ``seconds_behind`` tells."""
        try:
            self._reach(self._database.version())
        except DatabaseError as cause:
            _log.debug("going on with what is there: %s", cause)

    def now(self) -> float:
        """Seconds since 1970, by which items are available."""
        return self._live.now()

    @property
    def version(self) -> int:
        """Number of the last change that answers show here."""
        return self._following.version

    @property
    def loaded(self) -> float:
        """When the model that answers here was loaded, in seconds since 1970; asks no database."""
        return self._live.snapshot.fitted.loaded

    @property
    def n_left_out(self) -> int:
        """Items that the model which answers here cannot read; asks no database."""
        return len(left_out(self._live.snapshot))

    @property
    def on_air(self) -> OnAir:
        """The model that should be on the air, and the one before."""
        return self._following.on_air

    @property
    def failed(self) -> FailedSwap | None:
        """A model that should be on the air and could not be loaded here."""
        return next((each.failed for each in self._followers if each.failed is not None), None)

    @property
    def is_loading(self) -> bool:
        """Whether a model that another worker put on the air is being loaded; the one before answers."""
        return any(each.is_loading for each in self._followers)

    # answers

    def recommend(self, asker: Asker, k: int = 10, rules: Rules | None = None) -> Answer:
        """As ``LiveModel.recommend``; a list for a user is kept as shown to him, and is that of his arms."""
        asker = self._informed(asker)
        if asker.user is None or not self.experiments:
            return self._list(asker, k, rules)
        while True:
            placed = self.experiments.place(asker.user)
            if not placed.arms:
                return self._list(asker, k, rules)
            answer, chances = self._in_arms(asker, k, rules, placed)
            if self.experiments.keep(asker.user, placed):
                self.exposures.add(asker.user, answer, chances)
                return answer

    def recommend_now(self, asker: Asker, k: int = 10, rules: Rules | None = None) -> Answer | None:
        """``recommend``, where there is nothing to take in and nothing to wait for first: the database is on
        this machine, so that reading takes microseconds, and nothing changed there since the last answer.
        Else None."""
        if not self._database.is_local:
            return None
        version, asker = self._told(asker)
        if version > self._following.version:
            return None
        if asker.user is None or not self.experiments:
            return self._list(asker, k, rules)
        placed = self.experiments.place_now(asker.user)
        if placed is None or not self.experiments.has_reached(version):
            return None
        if not placed.arms:
            return self._list(asker, k, rules)
        answer, chances = self._in_arms(asker, k, rules, placed)
        self.exposures.add(asker.user, answer, chances)
        return answer

    def _in_arms(
        self, asker: Asker, k: int, rules: Rules | None, placed: Placed
    ) -> tuple[ExperimentAnswer, Chances]:
        return self.experiments.answer(asker, k, rules or Rules(), placed, self.exposures.new_request())

    def _list(self, asker: Asker, k: int, rules: Rules | None) -> Answer:
        answer = self._live.recommend(asker, k, rules)
        if asker.user is not None:
            self.exposures.add(asker.user, answer)
        return answer

    def similar(
        self, item: Id, k: int = 10, rules: Rules | None = None, unavailable: bool = False
    ) -> pl.DataFrame:
        """As ``LiveModel.similar``."""
        self._catch_up()
        return self._live.similar(item, k, rules, unavailable)

    def explain(
        self, asker: Asker, item: Id, unknown: str = "ignore", unavailable: bool = False
    ) -> Explanation:
        """As ``LiveModel.explain``."""
        asker = self._informed(asker)
        return self._live_of(asker).explain(asker, item, unknown, unavailable)

    def score(
        self, asker: Asker, items: Sequence[Id], unknown: str = "ignore", unavailable: bool = False
    ) -> list[float | None]:
        """As ``LiveModel.score``."""
        asker = self._informed(asker)
        return self._live_of(asker).score(asker, items, unknown, unavailable)

    def _live_of(self, asker: Asker) -> LiveModel:
        """The model that answers somebody: that of his arm, where he is in one."""
        if asker.user is None or not self.experiments:
            return self._live
        return self.experiments.live_of(self.experiments.place(asker.user))

    def audience(
        self, item: LiveItem | Id, k: int = 10, most_users: int = 5000, unavailable: bool = False
    ) -> Audience:
        """As ``LiveModel.audience``; users whom the database alone knows are asked, too."""
        self._following.catch_up()
        known = self._live.snapshot.fitted.users
        others = [user for user in self._database.users(most_users) if str(user) not in known]
        return self._live.audience(item, k, most_users, Sayings(others, self._said), unavailable)

    def _said(self, users: Sequence[Id]) -> Mapping[Id, tuple[Sequence[Id], Sequence[Id]]]:
        """What the database says of users."""
        histories = self._database.histories([user for user in users if isinstance(user, int | str)])
        return {user: (said.clicks, said.dislikes) for user, said in histories.items()}

    def _informed(self, asker: Asker) -> Asker:
        """With what the database says of a user, all changes taken before; a history needs no database."""
        if asker.user is None:
            self._catch_up()
            return asker
        version, asker = self._told(asker)
        self._reach(version)
        return asker

    def _told(self, asker: Asker) -> tuple[int, Asker]:
        """The version of the database, and the same with what it says of a user."""
        if asker.user is None:
            return self._database.version(), asker
        user = typed_id(self._live.snapshot.model.users_, asker.user)
        version, said = self._database.version_and_history(user, _MOST_CLICKS)
        return version, replace(asker, user=user, clicked=said.clicks, disliked=said.dislikes)

    # changes

    def put_items(self, items: Iterable[LiveItem]) -> int:
        """Add new items and change known ones, all or none; the version from which on all workers show them.

        Raises ItemsError where metadata cannot be read, UnsupportedError where the model takes no new items.
        """
        self._following.catch_up()
        base = self._live.snapshot
        given = list(items)
        stored = stored_items(base, given)
        keeping = {kept.id for item, kept in zip(given, stored, strict=True) if item.metadata is None}
        beside = base.with_items([_as_before(base, live_item(item), item.id in keeping) for item in stored])
        version = self._database.put_items(stored, keeping)
        self._following.reach_with(version, base, beside)
        return version

    def remove_item(self, item: Id) -> int:
        """Never show an item again, until it is put anew. Raises UnknownIdError."""
        self._following.catch_up()
        snapshot = self._live.snapshot
        change = snapshot.changes.get(str(item))
        is_there = str(item) in snapshot.columns if change is None else not change.removed
        if not is_there:
            raise UnknownIdError(f"item {brief(item)} is unknown; put it first")
        version = self._database.delete([item if change is None else change.item_id])
        self._following.reach(version)
        return version

    def add_events(self, batch: Sequence[Event | Mapping[str, Any]]) -> EventCounts:
        """Keep events, with ids of the model's types: the next answer to their users follows them.

        One that cannot be kept is refused with the reason, and the others are kept.
        Raises ParameterError for more than 10,000 events at once.
        """
        model = self._live.snapshot.model
        typed: dict[int, Event] = {}
        refused: dict[int, str] = {}
        for place, given in enumerate(batch):
            try:
                event = Event.of(given)
                if isinstance(event.item, int | str) and not isinstance(event.item, bool):
                    event = replace(event, item=id_like(model.items_, event.item))
                typed[place] = replace(event, user=typed_id(model.users_, event.user))
            except IsothermError as cause:
                refused[place] = str(cause)
        counts = self._database.add_events(list(typed.values()))
        places = list(typed)
        refused |= {places[place]: words for place, words in counts.refused.items()}
        return replace(counts, refused=dict(sorted(refused.items())))

    def export_events(self, folder: Path) -> int:
        """``Database.export_events`` of all that was shown and done until now. Raises as that does."""
        self.exposures.flush()
        return self._database.export_events(folder)

    def swap(self, folder: str, arm: str | None = None, experiment: str | None = None) -> None:
        """Put a saved model on the air, for all workers; the others answer with theirs until it is loaded.

        arm, experiment: the arm whose model it takes the place of; None for the server's own. The experiment
        need be named only where several have an arm of this name.
        Raises ModelFolderError where there is none, or it does not answer as it must, ParameterError for an
        arm without a model of its own: nothing changes then.
        """
        self._follower(arm, experiment).swap(folder)

    def roll_back(self, arm: str | None = None, experiment: str | None = None) -> None:
        """Put the model before on the air again, for all workers.  arm, experiment: as ``swap`` has them.

        Raises ParameterError where there was none, ModelFolderError where it is gone: nothing changes then.
        """
        self._follower(arm, experiment).roll_back()

    def _follower(self, arm: str | None, experiment: str | None) -> Follower:
        """That of the model of an arm; where none is named, of the server's own."""
        is_own = arm is None and experiment is None
        return self._following if is_own else self.experiments.follower(arm, experiment)

    # in the background

    def start(self) -> None:
        """Follow the database and write what was shown at least every second, until ``close``."""
        if self._keeper is None:
            self._stop.clear()
            self._keeper = threading.Thread(target=self._keep, name="isotherm-keeper", daemon=True)
            self._keeper.start()

    def close(self) -> None:
        """Stop that, and write what was shown and is not yet kept. The database stays open.

        Where it cannot be reached any more, the log tells how many lists are lost.
        """
        self._stop.set()
        if self._keeper is not None:
            self._keeper.join(_ENDING_SECONDS)
            self._keeper = None
        for follower in self._followers:
            follower.wait(_ENDING_SECONDS)
        try:
            self.exposures.flush()
        except DatabaseError as cause:
            _log.error("lists that were shown and are lost: %d (%s)", len(self.exposures), cause)

    def _rehearse(self) -> None:
        """Ask who would get an item that nobody put: the first that is put waits for no import, and no page
        of the model."""
        try:
            self._live.audience(LiveItem(_NOBODYS), k=1, most_users=1)
        except IsothermError as cause:
            _log.debug("this model takes no new items: %s", cause)
        except Exception:  # the thread goes on: it follows the database
            _log.exception("no item can be added")

    def _keep(self) -> None:
        self._rehearse()
        look = _LOOK_SECONDS if self._database.is_local else _LOOK_ELSEWHERE_SECONDS
        ticks, due = 0, time.monotonic()
        while not self._stop.wait(min(look, _TICK_SECONDS)):
            try:
                self._reach(self._database.version())  # before a request has to wait for it
                if time.monotonic() < due:
                    continue
                due = time.monotonic() + _TICK_SECONDS
                for follower in self._followers:
                    follower.retry()
                    follower.compact()
                self.exposures.flush()
                if ticks % _TICKS_OF_RETENTION == 0:
                    self.exposures.forget_old()
                ticks += 1
                self._is_told = False
            except Exception as cause:
                if not self._is_told:  # once, not every second
                    _log.exception("the database cannot be followed: %s", cause)
                self._is_told = True


def _as_before(base: Snapshot, item: LiveItem, keeps: bool) -> LiveItem:
    """An item that keeps its metadata may be hidden, too, where the model cannot read it."""
    before = base.changes.get(item.key)
    return replace(item, unread=before.unread) if keeps and before is not None else item


def typed_id(known: IdMap, given: Id) -> Id:
    """An id of the type of the known ones where it can be; else as given: some users no model knows."""
    if isinstance(given, bool) or not isinstance(given, int | str):
        return given  # which the database refuses
    try:
        return id_like(known, given)
    except ItemsError:
        return given
