"""Experiments that run: in which arms a user is, what he is answered there, and which model each arm has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from isotherm.errors import IsothermError, ParameterError, brief
from isotherm.experiment.assignment import Placement, placements, seed
from isotherm.experiment.plan import Arm, Experiment, Settings
from isotherm.serving.catalogue.items import Id
from isotherm.serving.database import Assigned, Chances, Database
from isotherm.serving.live.model import LiveModel
from isotherm.serving.live.probes import check_answers, probe_histories
from isotherm.serving.live.requests import Answer, Asker, ExperimentAnswer, InArm, Rules, Shown
from isotherm.serving.shared.following import Follower, Load, choose_model

_MOST_KEPT = 200_000  # users whose arms are in memory


@dataclass(frozen=True)
class Placed:
    """The arms of a user.  new: those in which he was shown nothing yet."""

    arms: Sequence[Placement] = ()
    new: Sequence[Placement] = ()


_NOWHERE = Placed()


class RunningExperiments:
    """Some experiments, which the database knows, on one server; false where there is none.

    own: the server's own model, which answers in arms without one.  load: how models of arms are loaded.
    followers: those of the arms that have a model.
    Raises ModelFolderError where a model of an arm cannot be loaded, or knows other items.
    """

    def __init__(
        self, experiments: Sequence[Experiment], database: Database, own: LiveModel, load: Load
    ) -> None:
        self.plans, self._database, self._own = tuple(experiments), database, own
        self._by_name = {each.name: each for each in self.plans}
        self._weights = {each.name: database.experiments.weights(each.name) for each in self.plans}
        self._of_arm = {
            (each.name, arm.name): _follower((each, arm), arm.model, database, own, load)
            for each in self.plans
            for arm in each.arms
            if arm.model is not None
        }
        self.followers = tuple(self._of_arm.values())
        self._kept: dict[Id, Mapping[str, Assigned]] = {}

    def __bool__(self) -> bool:
        return bool(self.plans)

    # which arm

    def place(self, user: Id) -> Placed:
        """The arms of a user now, as far as they are kept read from the database."""
        placed = self.place_now(user, writes=True)
        if placed is None:
            self._read(user)
            placed = self.place_now(user, writes=True)
        return placed or _NOWHERE

    def place_now(self, user: Id, writes: bool = False) -> Placed | None:
        """The same, None where the database must be read first; and where he was shown nothing yet in one of
        them, unless ``writes``."""
        now, kept = self._own.now(), self._kept.get(user)
        if kept is None:
            return None if placements(self.plans, user, now, _nothing) else _NOWHERE

        def first(experiment: Experiment) -> str | None:
            before = kept.get(experiment.name)
            return None if before is None or before.reason == "override" else before.arm

        arms = [each for each in placements(self.plans, user, now, first) if self._knows(each)]
        new = [each for each in arms if each.experiment not in kept]
        return Placed(arms, new) if writes or not new else None

    def _knows(self, placed: Placement) -> bool:
        """Whether it is an arm of the plan that this server was given: another server may have a newer one,
        whose new arm nobody is in here."""
        plan = self._by_name[placed.experiment]
        return plan.kind == "interleaving" or placed.arm in plan.arm_names

    def keep(self, user: Id, placed: Placed) -> bool:
        """Keep that a user was shown something in his new arms; on disk when this returns.

        False where others had kept another arm meanwhile, by other weights: place him again.
        """
        if not placed.new:
            return True
        assigned = [
            Assigned(each.experiment, each.arm, "override" if each.reason == "override" else "hash",
                     self._weights[each.experiment])
            for each in placed.new
        ]  # fmt: skip
        self._database.experiments.assign(user, assigned)
        kept = self._read(user)
        return all(kept[each.experiment].arm == each.arm for each in placed.new)

    def _read(self, user: Id) -> Mapping[str, Assigned]:
        """What is kept of a user, from the database."""
        kept = self._database.experiments.of_user(user)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[user] = kept
        return kept

    # what is answered there

    def answer(
        self, asker: Asker, k: int, rules: Rules, placed: Placed, request: str
    ) -> tuple[ExperimentAnswer, Chances]:
        """The list of a user in his arms.  request: its id, from which all that is drawn follows."""
        plans = [self._by_name[each.experiment] for each in placed.arms]
        for plan, each in zip(plans, placed.arms, strict=True):
            if plan.kind == "arms":
                rules = with_settings(rules, plan.arm(each.arm).settings, k)
        merged = next((plan for plan in plans if plan.kind == "interleaving"), None)
        exploration = next((plan.exploration for plan in plans if plan.exploration is not None), None)
        live, drawn, teams = self.live_of(placed), None, None
        if merged is not None:
            answer, teams = self._interleaved(merged, asker, k, rules, seed(request))
        elif exploration is not None:
            answer, drawn = live.explore(asker, k, rules, exploration, seed(request))
        else:
            answer = live.recommend(asker, k, rules)
        told = [InArm(each.experiment, each.arm) for each in placed.arms]
        in_arms = ExperimentAnswer(**vars(answer), experiments=told, request_id=request)
        return in_arms, Chances([(each.experiment, each.arm) for each in placed.arms], drawn, teams)

    def live_of(self, placed: Placed) -> LiveModel:
        """The model that answers in some arms: of the one that has one, else the server's own."""
        found = (self._of_arm.get((each.experiment, each.arm)) for each in placed.arms)
        return next((each.live for each in found if each is not None), self._own)

    def _interleaved(
        self, experiment: Experiment, asker: Asker, k: int, rules: Rules, seed_: int
    ) -> tuple[Answer, list[int]]:
        """One list of both arms, and whose each item is."""
        from isotherm.experiment.interleaving import team_draft

        lists = [self._of(experiment, arm).recommend(asker, k, with_settings(rules, arm.settings, k))
                 for arm in experiment.arms]  # fmt: skip
        shown: list[dict[Id, Shown]] = [{item.item_id: item for item in each.items} for each in lists]
        items, teams = team_draft(list(shown[0]), list(shown[1]), k, np.random.default_rng(seed_))
        told = [
            replace(shown[team][item] if team >= 0 else {**shown[1], **shown[0]}[item], rank=rank)
            for rank, (item, team) in enumerate(zip(items, teams, strict=True), 1)
        ]
        first, second = lists
        by = first.answered_by if first.answered_by == second.answered_by else "model"
        names = f"{first.model} + {second.model}"
        return Answer(told, by, names, max(first.unknown, second.unknown)), teams

    def _of(self, experiment: Experiment, arm: Arm) -> LiveModel:
        follower = self._of_arm.get((experiment.name, arm.name))
        return self._own if follower is None else follower.live

    # the models of arms

    def has_reached(self, version: int) -> bool:
        """Whether every model shows the changes up to this version."""
        return all(follower.version >= version for follower in self.followers)

    def model_name(self, experiment: str, arm: str) -> str | None:
        """That of the model of an arm; None where it is the server's own."""
        follower = self._of_arm.get((experiment, arm))
        return None if follower is None else follower.live.snapshot.fitted.name

    def weights(self, experiment: str) -> int:
        """How many times the weights of its arms were set."""
        return self._weights[experiment]

    def counts(self, experiment: str) -> Mapping[str, int]:
        """Arm -> users who were shown something in it."""
        return self._database.experiments.counts(experiment)

    def follower(self, arm: str | None, experiment: str | None) -> Follower:
        """That of the model of an arm. Raises ParameterError where it has none, or the names do not tell."""
        named = [
            (each, arm_of_it)
            for each in self.plans
            for arm_of_it in each.arm_names
            if experiment in (None, each.name) and arm == arm_of_it
        ]
        if not named:
            known = sorted(set(chain.from_iterable(each.arm_names for each in self.plans)))
            words = f"name one of {', '.join(known)}" if known else "no experiment runs; leave it out"
            raise ParameterError(
                f"arm: {brief(arm)} is no arm of {experiment or 'an experiment that runs'}; {words}"
            )
        if len(named) > 1:
            both = " and ".join(each.name for each, _ in named)
            raise ParameterError(f"experiment: {both} have an arm {brief(arm)}; name the experiment, too")
        plan, name = named[0]
        if (plan.name, name) not in self._of_arm:
            raise ParameterError(f"arm: {brief(arm)} answers by the server's own model; swap without an arm")
        return self._of_arm[plan.name, name]


def with_settings(rules: Rules, settings: Settings, k: int) -> Rules:
    """Rules with what an arm sets in the place of what a request says, as far as k items have room for it."""
    if "cold" in settings.changed:
        rules = replace(rules, cold_least=min(settings.cold_least or 0, k), cold_most=settings.cold_most)
    if settings.diversity is not None:
        rules = replace(rules, diversity=settings.diversity)
    return rules


def _follower(
    of: tuple[Experiment, Arm], folder: str, database: Database, own: LiveModel, load: Load
) -> Follower:
    """That of the model of an arm, which answers what the server's own does."""
    experiment, arm = of
    key = experiment.name, arm.name
    chosen = choose_model(folder, database, load, key)
    live = LiveModel(chosen.model, chosen.name, own.now)
    try:
        check_answers(live.snapshot, probe_histories(own.snapshot))
    except IsothermError as cause:
        raise type(cause)(f"experiment {experiment.name}, arm {arm.name}: {cause}") from cause
    return Follower(live, database, chosen.folder, chosen.given, chosen.seen, load, key)


def _nothing(_: Experiment) -> None:
    return None
