"""Chooses λ_A, β and the mask's keep probability by short trainings, ranked on users held out from them.

The settings are climbed a ladder of values at a time, from their defaults: a step is taken where it ranks the
validation users better by more than two standard errors of the difference. Six to nine short trainings.
"""

import logging
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias, TypeVar

from isotherm.models.choice.climb import climbed
from isotherm.models.vae.objective.ladder import Ladder
from isotherm.parameters import build, hyperparameters
from isotherm.types import Float64

_log = logging.getLogger(__name__)

Model = TypeVar("Model")
#: dotted names of settings -> their values
Chosen: TypeAlias = Mapping[str, float]


def ladders_of(model: Any) -> dict[str, Ladder]:
    """Dotted name -> ladder of each setting of the model's parts that is "auto"."""
    return {
        f"{name}.{setting}": ladder
        for name, part in hyperparameters(model).items()
        for setting, ladder in getattr(part, "ladders", {}).items()
        if getattr(part, setting) == "auto"
    }


def with_settings(model: Model, settings: Mapping[str, Any]) -> Model:
    """An unfitted model with other settings."""
    return build(type(model), {**hyperparameters(model), **settings})


def climb(ladders: Mapping[str, Ladder], rank: Callable[[Chosen], Float64]) -> dict[str, float]:
    """The value of each setting.  rank: metrics (n_users,) of settings, of the same users each time."""
    chosen = {name: ladder.start for name, ladder in ladders.items()}
    ranked: dict[tuple[float, ...], Float64] = {}

    def metrics(settings: Chosen) -> Float64:
        key = tuple(settings[name] for name in ladders)
        if key not in ranked:
            ranked[key] = rank(settings)
        return ranked[key]

    def of_value(name: str, value: float) -> Float64:
        return metrics({**chosen, name: value})

    metrics(chosen)
    for name, ladder in ladders.items():
        chosen[name] = climbed(ladder.start, ladder.values, partial(of_value, name), _is_better)
    return chosen


def _is_better(metrics: Float64, others: Float64) -> bool:
    """By more than noise, two standard errors of the mean difference."""
    apart = metrics - others
    return bool(apart.mean() > 2 * apart.std() / math.sqrt(len(apart)))
