"""The whole story: two models on a real server, viewers who come day by day, the analysis, and the truth."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from isotherm.checks import between, seeded, whole
from isotherm.data import Interactions, Items
from isotherm.experiment.analysis import AnalysisOptions, Result, Schedule, analyze
from isotherm.experiment.assignment import place
from isotherm.experiment.log import EventLog, Rules, Window, read_users
from isotherm.experiment.plan import Experiment, plan_of
from isotherm.experiment.practice.arms import Models, declared
from isotherm.experiment.practice.days import live
from isotherm.experiment.practice.http_lists import HTTPLists
from isotherm.experiment.practice.log import (
    Tables,
    events_before,
    events_of,
    own_tables,
    served_tables,
    write_tables,
)
from isotherm.experiment.practice.own_lists import OwnLists
from isotherm.experiment.practice.right import is_inside, is_right
from isotherm.experiment.practice.server import PracticeServer
from isotherm.experiment.practice.taste import Taste
from isotherm.experiment.practice.titles import Titles
from isotherm.experiment.practice.truth import Truth, truths
from isotherm.experiment.practice.viewers import DAY, Viewers
from isotherm.files import finite, write_json
from isotherm.progress import stage

Told = Callable[[str], None]


@dataclass(frozen=True)
class Practice:
    """How the platform is set up. Raises ParameterError for a value out of its range.

    viewers: how many.  days: of the experiment.  k: length of lists.  share: of well-known titles that come
    during the experiment.  draws: how often all viewers live through all days in each arm, for the truth.
    same: whether both arms have one model (A/A).  seed: of viewers, their ways, and who is in which arm.
    """

    viewers: int = 3000
    days: int = 14
    k: int = 10
    share: float = 0.3
    draws: int = 8
    same: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        whole("viewers", self.viewers, 20, 1_000_000)
        whole("days", self.days, 2, 365)
        whole("k", self.k, 1, 100)
        between("share", self.share, 0, 0.9)
        whole("draws", self.draws, 1)
        seeded("seed", self.seed)


@dataclass(frozen=True, eq=False)
class World:
    """What is the same for all seeds: titles, taste, and the fitted models."""

    titles: Titles
    taste: Taste
    models: Models

    @classmethod
    def fitted(cls, clicks: Interactions, items: Items, practice: Practice) -> "World":
        """Taste on all clicks; the models on those before the new titles."""
        titles = Titles.of(clicks, items, practice.days, practice.share)
        return cls(titles, Taste.fitted(titles), Models.fitted(titles, practice.same))


@dataclass(frozen=True, eq=False)
class DemoResult:
    """The analysis, which never saw the truth, and the truth."""

    result: Result
    truths: dict[str, Truth]  #: by metric
    practice: Practice
    experiment: Experiment
    tables: Tables  #: the log
    facts: dict[str, Any] = field(default_factory=dict)  #: numbers of lists, events, titles; seconds

    @property
    def truth(self) -> Truth:
        """Of the goal."""
        return self.truths[self.result.verdict.metric]

    @property
    def inside(self) -> bool:
        """Whether the truth lies inside the 95% interval."""
        return is_inside(self.result, self.truth)

    @property
    def right(self) -> bool:
        """Whether the verdict is right."""
        return is_right(self.result, self.truth)

    def to_dict(self) -> dict[str, Any]:
        """As result.json has it."""
        told = {
            "truth": self.truth.estimate,
            "truths": {name: asdict(each) for name, each in self.truths.items()},
            "truth_is_inside": self.inside,
            "verdict_is_right": self.right,
            "practice": asdict(self.practice),
            "facts": self.facts,
        }
        whole: dict[str, Any] = self.result.to_dict() | finite(told)
        return whole

    def write_json(self, path: Path) -> None:
        """Write ``to_dict``. Raises OutputError."""
        write_json(path, self.to_dict())


def practise(
    clicks: Interactions, items: Items, practice: Practice, folder: Path, told: Told = lambda words: None
) -> DemoResult:
    """The story with a real server.  folder: for models, log, database.  told: what happens, in words.

    The experiment ends at the last midnight (UTC), so all days are over. All is as the seed has it but
    seconds. Raises PracticeError where the server fails.
    """
    began = time.monotonic()
    world = World.fitted(clicks, items, practice)
    viewers = Viewers.drawn(world.taste, world.titles, practice.viewers, practice.seed)
    start = time.time() // DAY * DAY - practice.days * DAY
    experiment = declared(world.models, start, practice.days, practice.seed)
    told(f"{' against '.join(experiment.arm_names)}: fitted after {time.monotonic() - began:.0f} s")
    tables, facts = _served(world, viewers, (practice, experiment), folder, told)
    write_tables(tables, folder / "log")
    result = analyse(folder / "log", experiment, practice)
    told(f"analysed after {time.monotonic() - began:.0f} s; the truth is computed")
    known = _truths(world, viewers, practice)
    facts |= {"seconds": round(time.monotonic() - began, 1), **_numbers(world)}
    return DemoResult(result, known, practice, experiment, tables, facts)


def practise_offline(
    world: World, practice: Practice, folder: Path, start: float = 1_767_225_600.0
) -> DemoResult:
    """The same viewers, lists, log and analysis without a server: the models answer in this process.

    folder: for the log.  start: of the first day, midnight UTC; no figure depends on it.
    """
    viewers = Viewers.drawn(world.taste, world.titles, practice.viewers, practice.seed)
    experiment = declared(world.models, start, practice.days, practice.seed)
    comings = viewers.comings(practice.days, practice.seed)
    arm = arms_of(experiment, viewers, start)
    lists = OwnLists(world.titles, list(world.models.by_arm().values()), arm, practice.k)
    done = live(viewers, world.titles, comings, lists, practice.seed)
    events = pl.concat(
        [
            events_before(viewers, world.titles, start, practice.seed),
            events_of(done, viewers, world.titles, start),
        ]
    )
    of = experiment.name, experiment.arm_names, arm, start
    tables = own_tables(done, events, viewers, world.titles, of)
    write_tables(tables, folder)
    result = analyse(folder, experiment, practice)
    facts = {"lists": len(done.viewer), "events": len(events), **_numbers(world)}
    return DemoResult(result, _truths(world, viewers, practice), practice, experiment, tables, facts)


def _numbers(world: World) -> dict[str, int]:
    """Of titles."""
    return {"titles": len(world.titles), "new_titles": int((world.titles.comes >= 0).sum())}


def analyse(log: Path, experiment: Experiment, practice: Practice) -> Result:
    """As ``isotherm experiment analyze`` does, on the planned day."""
    users = read_users(EventLog.of_folder(log), Window.of(experiment), Rules())
    schedule = Schedule([arm.weight for arm in experiment.arms], practice.days)
    return analyze(users, schedule=schedule, options=AnalysisOptions(seed=practice.seed))


def arms_of(experiment: Experiment, viewers: Viewers, at: float) -> Any:
    """(n_viewers,) the place of each one's arm."""
    names = {name: n for n, name in enumerate(experiment.arm_names)}
    placed = [place(experiment, user, at) for user in viewers.ids.tolist()]
    assert all(each is not None for each in placed), "every viewer is in the experiment"
    return np.array([names[each.arm] for each in placed if each is not None])


def _truths(world: World, viewers: Viewers, practice: Practice) -> dict[str, Truth]:
    with stage("compute the truth"):
        return truths(
            viewers, world.titles, world.models, practice.days, practice.k, practice.draws, practice.seed
        )


def _served(
    world: World, viewers: Viewers, of: tuple[Practice, Experiment], folder: Path, told: Told
) -> tuple[Tables, dict[str, Any]]:
    """The log of the days on a real server, and numbers.

    The server has the treatment's model as its own; it lives now, when the simulated days are over, so its
    plan has no end.
    """
    (practice, experiment), began = of, time.monotonic()
    comings = viewers.comings(practice.days, practice.seed)
    start = experiment.start or 0.0
    models = {name: folder / f"model {n}" for n, name in enumerate(experiment.arm_names)}
    for name, model in world.models.by_arm().items():
        model.save(models[name])
    arms = tuple(replace(arm, model=str(models[arm.name])) for arm in experiment.arms)
    write_json(folder / "plan.json", plan_of(replace(experiment, arms=arms, end=None)))
    with PracticeServer(models[experiment.arm_names[-1]], folder / "plan.json", folder) as server:
        told(f"isotherm serve answers at {server.url}")
        day_told = partial(_tell_day, told, practice.days, comings)
        lists = HTTPLists(server, (viewers, world.titles), practice.k, start, day_told)
        lists.open(events_before(viewers, world.titles, start, practice.seed))
        live(viewers, world.titles, comings, lists, practice.seed)
        lists.close()
        server.end()
        server.export(folder / "exported")
    seconds = round(time.monotonic() - began, 1)
    facts = {"lists": lists.n_lists, "events": lists.n_events, "served_seconds": seconds}
    return served_tables(folder / "exported", lists.began, comings, start), facts


def _tell_day(told: Told, days: int, comings: Any, day: int) -> None:
    here = int((~np.isnan(comings[:, day - 1])).sum())
    told(f"day {day} of {days}: {here:,} viewers came")
