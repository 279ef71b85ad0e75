"""From cold to warm: how well a model ranks new items as they get their first clicks.

Some items are new. Each gives the model its first n clicks (by time, else at random), n = 0, 1, 2, 5, …, and
the model is fitted anew; what it must find is always the same, the clicks past the longest n. Every new item
has more clicks than that, so that all are equally far at each step; the other held-out items leave the log.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from isotherm.checks import one_of, seeded, verbosity, whole
from isotherm.data import IdMap, Interactions, Items, Split
from isotherm.data.click_ranks import item_click_ranks
from isotherm.data.hidden_clicks import check_timed, hold_out
from isotherm.data.wording import counted
from isotherm.errors import ParameterError, SplitError, brief
from isotherm.evaluation.bootstrap import Interval
from isotherm.evaluation.candidates import CandidateSet
from isotherm.evaluation.lists import ranked_lists
from isotherm.evaluation.measures import ranking_metrics
from isotherm.evaluation.options import CANDIDATES, called, lengths
from isotherm.evaluation.runner import named
from isotherm.evaluation.user_values import UserValues
from isotherm.files import write_json
from isotherm.linalg.csr import filter_entries
from isotherm.models.base import Recommender
from isotherm.models.fit_inputs import FitOptions, check_data
from isotherm.progress import series, watched
from isotherm.types import Int32

STEPS = (0, 1, 2, 5, 10, 20)

StepMetrics = dict[str, dict[str, Interval]]  #: candidate set -> metric -> Interval
Steps = dict[str, dict[int, StepMetrics]]  #: model -> clicks given -> metrics


@dataclass(frozen=True)
class RampUp:
    """How well models rank new items after each number of first clicks."""

    split: dict[str, Any]  #: counts and settings
    values: dict[str, dict[int, StepMetrics]]  #: model -> clicks given -> metrics
    complete: bool = True  #: whether all models are measured at all steps; while ``ramp_up`` runs, not yet
    to_come: list[int] = field(default_factory=list)  #: steps at which no model is measured yet

    def to_frame(self) -> pl.DataFrame:
        """model, clicks, candidates, metric, mean, low, high."""
        return pl.DataFrame(
            [
                {"model": name, "clicks": n, "candidates": candidates, "metric": metric, **asdict(value)}
                for name, steps in self.values.items()
                for n, sets in steps.items()
                for candidates, metrics in sets.items()
                for metric, value in metrics.items()
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """{"complete": …, "split": …, "models": {name: {"0": {"cold": {"hr@10": {"mean": …}}}}}}.

        "complete" is false, and "to_come" names steps, in what is written while ``ramp_up`` runs.
        """
        models = {
            name: {
                str(n): {
                    candidates: {metric: asdict(value) for metric, value in metrics.items()}
                    for candidates, metrics in sets.items()
                }
                for n, sets in steps.items()
            }
            for name, steps in self.values.items()
        }
        state = {"complete": self.complete, "to_come": self.to_come}
        return {**state, "split": self.split, "models": models}

    def write_json(self, path: str | os.PathLike[str]) -> None:
        """Write ``to_dict`` whole or not at all."""
        write_json(path, self.to_dict())


def ramp_up(
    clicks: Interactions,
    models: Callable[[], Iterable[tuple[str, Recommender]]],
    items: Items | None = None,
    steps: Sequence[int] = STEPS,
    ks: Sequence[int] = (10,),
    holdout: float = 0.2,
    seed: int = 0,
    *,
    candidates: str = "catalogue",
    verbose: bool | None = None,
    after_model: Callable[[RampUp], object] | None = None,
) -> RampUp:
    """Fit each model once per step and rank for the users who clicked a new item later.

    models: gives name and unfitted model, anew for each step.  steps: clicks that each new item has got.
    ks: list lengths.  holdout: share of the items that are new.  seed: of items, of clicks without a time,
    of intervals.
    Candidates are the new items among themselves ("cold") and all items ("all"): with ``candidates``
    "catalogue" those of the item table, with "clicked" those of the log alone.
    verbose: what is shown meanwhile, as in ``fit``.
    after_model: called with the RampUp so far after each model at each step, say to write it.
    Raises ParameterError for steps or ks that are no whole numbers >= 0 and >= 1, SplitError where no new
    item has more clicks than the last step.

    >>> import numpy as np
    >>> from isotherm import Interactions, Popularity, ramp_up
    >>> from scipy.sparse import csr_array
    >>> clicks = Interactions.from_csr(csr_array(np.random.default_rng(0).random((40, 8)) < 0.5))
    >>> result = ramp_up(clicks, lambda: [("popularity", Popularity())], steps=(0, 2), ks=(3,))
    >>> result.to_frame().columns
    ['model', 'clicks', 'candidates', 'metric', 'mean', 'low', 'high']
    >>> result.split["new_items"]
    2
    """
    check_data("clicks", clicks, Interactions)
    _check_models(models)
    steps, ks, seed = _steps(steps), lengths(ks), seeded("seed", seed)
    catalogue = _Catalogue.of(clicks, items, one_of("candidates", candidates, CANDIDATES))
    splits = _StepSplits(clicks, steps[-1], holdout, seed, catalogue.ids)
    settings = {"protocol": "ramp-up", "holdout": float(holdout), "seed": seed, "steps": steps}
    facts = settings | {"catalogue": catalogue.source} | splits.counts()

    tell = _told(called("after_model", after_model, "RampUp"), facts)
    with watched(verbosity(verbose)):
        values = _measured_steps(models, splits, catalogue.items, steps, ks, seed, tell)
    return RampUp(facts, values)


def _told(
    after_model: Callable[[RampUp], object] | None, facts: dict[str, Any]
) -> Callable[[Steps, int], None]:
    """Gives ``after_model`` what is measured so far, up to a step."""

    def tell(values: Steps, n: int) -> None:
        if after_model is not None:
            so_far = {name: dict(of_steps) for name, of_steps in values.items()}
            after_model(RampUp(facts, so_far, False, [step for step in facts["steps"] if step > n]))

    return tell


def _measured_steps(
    models: Callable[[], Iterable[tuple[str, Recommender]]],
    splits: "_StepSplits",
    items: Items | None,
    steps: Sequence[int],
    ks: Sequence[int],
    seed: int,
    tell: Callable[[Steps, int], None],
) -> Steps:
    """Name -> clicks given -> what the model did. Raises ParameterError where there is no model.

    tell: called after each model with what is measured so far and the step.
    """
    values: Steps = {}
    with series("ramp-up", len(steps), "step") as advance:
        for n in steps:
            split = splits.after(n)
            sets = splits.candidate_sets(split)
            for name, model in named(models()):
                model.fit(split.train, items, FitOptions(valid=split.valid).accepted_by(model))
                lists = ranked_lists(model, split, sets, ks[-1], seed)
                values.setdefault(name, {})[n] = _step_metrics(lists, split, sets, ks, seed)
                del model
                tell(values, n)
            advance(1)
    if not values:
        raise ParameterError("there is no model to evaluate; models gives names and models")
    return values


def _check_models(models: Any) -> None:
    """Raise ParameterError where ``models`` cannot be called for fresh models."""
    if not callable(models):
        raise ParameterError(
            f"models is a function that gives names and fresh models for each step, not {brief(models)}: "
            "lambda: [('ease', EASE())]"
        )


def _steps(steps: Sequence[int]) -> list[int]:
    """Numbers of clicks, ascending. Raises ParameterError."""
    if isinstance(steps, str | bytes) or not isinstance(steps, Iterable):
        raise ParameterError(f"steps is a list of whole numbers >= 0, not {brief(steps)}")
    if not len(steps):
        raise ParameterError("steps must be whole numbers >= 0, not an empty list")
    return sorted({whole("steps", step, 0) for step in steps})


@dataclass(frozen=True)
class _Catalogue:
    """What may be shown."""

    ids: IdMap
    items: Items | None  #: one row per id
    source: str

    @classmethod
    def of(cls, clicks: Interactions, items: Items | None, candidates: str) -> "_Catalogue":
        """The items of the log, or of the table. Raises ItemsError where a clicked item has no row."""
        if items is None:
            return cls(clicks.items, None, "clicked items")
        check_data("items", items, Items)
        of_log = items.of(clicks.items)
        if candidates == "clicked":
            return cls(clicks.items, of_log, "clicked items")
        ids = clicks.items.union(items.ids)
        return cls(ids, items.of(ids), "item table")


class _StepSplits:
    """The split of each step; items that nobody clicked take no part in the draw of new ones."""

    def __init__(
        self, clicks: Interactions, last: int, holdout: float, seed: int, catalogue: IdMap | None = None
    ) -> None:
        check_timed(clicks, "ramp-up needs times")
        rng = np.random.default_rng(seed)
        held_out = hold_out(clicks.n_items, holdout, rng, "items")
        self._new = held_out & (clicks.item_clicks() > last)
        if not self._new.any():
            n = int(held_out.sum())
            raise SplitError(
                f"of {counted(n, 'held-out item')}, none has more than {counted(last, 'click')}; "
                "give fewer or raise holdout"
            )
        columns = clicks.matrix.indices
        kept = ~held_out[columns] | self._new[columns]
        self._clicks = replace(clicks, hidden_at_random=True).keep(kept)
        matrix = self._clicks.matrix
        self._of_new = self._new[matrix.indices]  # whether a click is one on a new item
        self._click_rank = item_click_ranks(matrix, rng, self._clicks.timestamps)
        self._targets = filter_entries(matrix, self._of_new & (self._click_rank >= last))
        self._left_out = int((held_out & ~self._new).sum())
        self._catalogue = clicks.items if catalogue is None else catalogue

    def after(self, n: int) -> Split:
        """The split once each new item has n clicks."""
        train = self._clicks.keep(~self._of_new | (self._click_rank < n))
        rows = np.flatnonzero((np.diff(self._targets.indptr) > 0) & (np.diff(train.matrix.indptr) > 0))
        split = Split("ramp-up", train, train.take_users(rows), self._targets[rows], {"clicks": n})
        return split.over(self._catalogue)

    def counts(self) -> dict[str, int]:
        """New items, hidden clicks, and held-out items with too few clicks to take part."""
        return {
            "items": len(self._catalogue),
            "new_items": int(self._new.sum()),
            "items_left_out": self._left_out,
            "test_clicks": int(self._targets.nnz),
        }

    def candidate_sets(self, split: Split) -> list[CandidateSet]:
        """The new items among themselves, cold, and all items; every target is a new item."""
        new = np.zeros(len(self._catalogue), dtype=bool)
        new[: len(self._new)] = self._new
        rows = np.arange(split.targets.shape[0])
        return [
            CandidateSet(name, items, split.targets, rows, new)
            for name, items in (("cold", new), ("all", np.ones_like(new)))
        ]


def _step_metrics(
    lists: dict[str, Int32], split: Split, sets: Sequence[CandidateSet], ks: Sequence[int], seed: int
) -> StepMetrics:
    """Intervals of the ranking metrics of each candidate set."""
    users = split.histories.users.values
    return {
        each.name: UserValues(users, ranking_metrics(lists[each.name], each.targets, ks)).intervals(seed)
        for each in sets
    }
