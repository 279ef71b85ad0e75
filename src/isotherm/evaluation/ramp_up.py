"""From cold to warm: how well a model ranks new items as they get their first clicks.

Some items are new. Each gives the model its first n clicks (by time, else at random), n = 0, 1, 2, 5, …, and
the model is fitted anew; what it must find is always the same, the clicks past the longest n. Every new item
has more clicks than that, so that all are equally far at each step; the other held-out items leave the log.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from isotherm.checks import one_of, seeded, whole
from isotherm.data import IdMap, Interactions, Items, Split
from isotherm.data.splits import check_timed, chosen, column_positions
from isotherm.errors import ParameterError, SplitError, brief
from isotherm.evaluation.bootstrap import Interval, intervals
from isotherm.evaluation.lists import CandidateSet, found_of, ranked_lists
from isotherm.evaluation.prepared import CANDIDATES, lengths
from isotherm.evaluation.runner import named
from isotherm.files import write_json
from isotherm.linalg.csr import filter_entries
from isotherm.models.base import Recommender
from isotherm.models.fitting import FitOptions, check_data
from isotherm.types import Bools, Int32

STEPS = (0, 1, 2, 5, 10, 20)


@dataclass(frozen=True)
class RampUp:
    """split: counts and settings.  values: model -> clicks given -> candidates -> metric -> Interval."""

    split: dict[str, Any]
    values: dict[str, dict[int, dict[str, dict[str, Interval]]]]

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
        """{"split": …, "models": {name: {"0": {"cold": {"hr@10": {"mean": …}}}}}}."""
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
        return {"split": self.split, "models": models}

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
) -> RampUp:
    """Fit each model once a step and rank for the users who clicked a new item later.

    models: gives name and unfitted model, anew for each step.  steps: clicks that each new item has got.
    ks: list lengths.  holdout: share of the items that are new.  seed: of items, of clicks without a time,
    of intervals.
    Candidates are the new items among themselves ("cold") and all items ("all"): with ``candidates``
    "catalogue" those of the item table, with "clicked" those of the log alone.
    Raises ParameterError for steps or ks that are no whole numbers >= 0 and >= 1, SplitError where no new
    item has more clicks than the last step.
    """
    check_data("clicks", clicks, Interactions)
    if items is not None:
        check_data("items", items, Items)
    if not callable(models):
        raise ParameterError(
            f"models is a function that gives names and fresh models for each step, not {brief(models)}: "
            "lambda: [('ease', EASE())]"
        )
    steps, ks, seed = _steps(steps), lengths(ks), seeded("seed", seed)
    one_of("candidates", candidates, CANDIDATES)
    catalogue, known = clicks.items, None
    if items is not None:
        known = items.of(clicks.items)
        if candidates == "catalogue":
            catalogue = clicks.items.union(items.ids)
            known = items.of(catalogue)
    stages = _Stages(clicks, steps[-1], holdout, seed, catalogue)
    values: dict[str, dict[int, dict[str, dict[str, Interval]]]] = {}
    for n in steps:
        split, sets = stages.at(n)
        for name, model in named(models()):
            model.fit(split.train, known, FitOptions(valid=split.valid).accepted_by(model))
            lists = ranked_lists(model, split, sets, ks[-1], seed)
            values.setdefault(name, {})[n] = _measured(lists, sets, ks, seed)
            del model
    source = "item table" if items is not None and candidates == "catalogue" else "clicked items"
    if not values:
        raise ParameterError("there is no model to evaluate; models gives names and models")
    settings = {"protocol": "ramp-up", "holdout": float(holdout), "seed": seed, "steps": steps}
    settings["catalogue"] = source
    return RampUp(settings | stages.counts(), values)


def _steps(steps: Sequence[int]) -> list[int]:
    if isinstance(steps, str | bytes) or not isinstance(steps, Iterable):
        raise ParameterError(f"steps is a list of whole numbers >= 0, not {brief(steps)}")
    if not len(steps):
        raise ParameterError("steps must be whole numbers >= 0, not an empty list")
    return sorted({whole("steps", step, 0) for step in steps})


class _Stages:
    """The log at each step, and what is asked of it; items that nobody clicked take no part in the draw."""

    def __init__(
        self, clicks: Interactions, last: int, holdout: float, seed: int, catalogue: IdMap | None = None
    ) -> None:
        check_timed(clicks, "ramp-up needs times")
        rng = np.random.default_rng(seed)
        held = chosen(clicks.n_items, holdout, rng, "items")
        self._new = held & (clicks.item_clicks() > last)
        if not self._new.any():
            raise SplitError(
                f"none of {held.sum():,} held-out items has more than {last} clicks; "
                "give fewer or raise holdout"
            )
        columns = clicks.matrix.indices
        kept = clicks.keep(~held[columns] | self._new[columns])
        self._clicks, columns = kept, kept.matrix.indices
        self._given = self._new[columns]
        self._place = column_positions(kept.matrix, rng, kept.timestamps)
        self._targets = filter_entries(kept.matrix, self._given & (self._place >= last))
        self._left_out = int((held & ~self._new).sum())
        self._catalogue = clicks.items if catalogue is None else catalogue

    def at(self, n: int) -> tuple[Split, list[CandidateSet]]:
        """The split and candidate sets once each new item has n clicks."""
        train = self._clicks.keep(~self._given | (self._place < n))
        rows = np.flatnonzero((np.diff(self._targets.indptr) > 0) & (np.diff(train.matrix.indptr) > 0))
        targets = self._targets[rows]
        split = Split("ramp-up", train, train.take_users(rows), targets, {"clicks": n}).over(self._catalogue)
        every, new = np.arange(len(rows)), np.zeros(len(self._catalogue), dtype=bool)
        new[: len(self._new)] = self._new
        masks: dict[str, Bools] = {"cold": new, "all": np.ones_like(new)}
        return split, [CandidateSet(name, mask, split.targets, every) for name, mask in masks.items()]

    def counts(self) -> dict[str, int]:
        """New items, hidden clicks, and held-out items with too few clicks to take part."""
        return {
            "items": len(self._catalogue),
            "new_items": int(self._new.sum()),
            "items_left_out": self._left_out,
            "test_clicks": int(self._targets.nnz),
        }


def _measured(
    lists: dict[str, Int32], sets: Sequence[CandidateSet], ks: Sequence[int], seed: int
) -> dict[str, dict[str, Interval]]:
    measured = {}
    for s in sets:
        values = found_of(lists[s.name], s.targets, ks)
        found = intervals(np.column_stack(list(values.values())), seed)
        measured[s.name] = dict(zip(values, found, strict=True))
    return measured
