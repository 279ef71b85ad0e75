"""How a model is fitted: what it is given is checked, and it learns on a copy, which is then taken over."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import TypeVar

import numpy as np

from isotherm.data import Interactions, Items
from isotherm.data.item_labels import ItemLabels
from isotherm.errors import InteractionsError, ParameterError, ScoreError, TrainingError
from isotherm.memory import check_memory
from isotherm.models.catalogue import over_catalogue
from isotherm.models.fit_inputs import NO_OPTIONS, FitOptions, check_data
from isotherm.models.scorer import Scorer
from isotherm.parameters import has_settings, hyperparameters
from isotherm.progress import stage
from isotherm.types import Float32
from isotherm.untrusted import DamagedError

Model = TypeVar("Model", bound=Scorer)

_LEAST, _LARGEST = 1e-15, 1e15  # click weights whose squares, summed over millions of users, fit into float32


def learn(
    model: Model,
    verb: str,
    method: Callable[[Model, Interactions, Items | None, FitOptions], None],
    clicks: Interactions,
    items: Items | None = None,
    options: FitOptions | None = None,
) -> Model:
    """Let the model learn by ``method``, once all that is given has been checked. Returns the model.

    It learns on a copy, which is taken over once its state is as declared: a fit that fails leaves the model
    as it was.  verb: fit or refit, for messages.
    """
    options = checked_options(model, options)
    clicks, items = training_data(model, clicks, items)
    _check_memory(model, clicks)
    learned = copy(model)
    with stage(f"{verb} {model.name}"), solvable(f"{model.name}: {verb}"):
        method(learned, clicks, items, options)
    learned.users_, learned.items_, learned.clicks_ = clicks.users, clicks.items, clicks.matrix
    learned.labels_ = ItemLabels.of(items, learned.item_schema, clicks.n_items)
    try:
        learned.state()
    except DamagedError as cause:
        raise TrainingError(
            f"{model.name}: {verb} went wrong: {cause}; a setting or a click weight is out of float32's "
            f"reach (the largest weight is {clicks.matrix.data.max():g})"
        ) from cause
    model.__dict__.update(learned.__dict__)
    return model


def checked_options(model: Scorer, options: FitOptions | None) -> FitOptions:
    """The options of a fit, NO_OPTIONS for None. Raises ParameterError where the model takes none."""
    if options is None:
        return NO_OPTIONS
    if not isinstance(options, FitOptions):
        given = type(options).__name__
        raise ParameterError(f"options must be FitOptions(valid=…, run_dir=…), not {given}")
    if options.valid is not None or options.run_dir is not None:
        check_trains_in_steps(model)
    return options


def check_trains_in_steps(model: Scorer) -> None:
    """Raise ParameterError where ``model`` does not train in steps, and so takes no options."""
    if not model.trains_in_steps:
        raise ParameterError(
            f"FitOptions, --valid and --run-dir are for models that train in steps; {model.name} does not"
        )


def training_data(
    model: Scorer, clicks: Interactions, items: Items | None
) -> tuple[Interactions, Items | None]:
    """Clicks over the whole catalogue, and the item table in the order of their columns.

    Raises ParameterError for what is no data, no clicks, or no item table where the model needs one;
    ItemsError where the table lacks a clicked item; InteractionsError for weights beyond float32.
    """
    check_data("clicks", clicks, Interactions)
    if items is not None:
        check_data("items", items, Items)
    if not clicks.n_clicks:
        raise ParameterError(f"{model.name}: 0 clicks to fit on")
    if items is not None:
        clicks, items = over_catalogue(clicks, items)
    elif model.needs_items:
        raise ParameterError(f"{model.name} needs an item table: fit(clicks, items), or --items")
    _check_weights(clicks.matrix.data)
    return clicks, items


def trains_among_processes(model: object) -> bool:
    """Whether the model, or one that it holds, trains in steps: only such work is shared among processes."""
    inner = [value for value in hyperparameters(model).values() if has_settings(value)]
    return getattr(model, "trains_in_steps", False) or any(map(trains_among_processes, inner))


def _check_memory(model: Scorer, clicks: Interactions) -> None:
    """Raise ParameterError where the catalogue and the settings ask for more than there is."""
    settings = ", ".join(f"{name}={value}" for name, value in model.memory_settings().items())
    check_memory(
        model.fit_memory(clicks),
        f"{model.name} of {clicks.n_items:,} items{' with ' * bool(settings)}{settings}",
        "choose smaller settings, another model or fewer items",
    )


def _check_weights(weights: Float32) -> None:
    """Raise InteractionsError where float32 cannot add up the squares of click weights."""
    low, high = float(weights.min()), float(weights.max())
    if low < _LEAST or high > _LARGEST:
        raise InteractionsError(
            f"click weights go from {low:.3g} to {high:.3g}, and models compute in float32: scale them so "
            f"that they lie between {_LEAST:g} and {_LARGEST:g}, or leave them out"
        )


@contextmanager
def solvable(what: str) -> Iterator[None]:
    """Raise TrainingError, with the cure, where ``what`` meets a system that cannot be solved.

    NumPy's warnings of an overflow are not shown: what is learned is checked to be finite, and that is said.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            yield
    except (ArithmeticError, np.linalg.LinAlgError, ScoreError) as cause:
        raise TrainingError(
            f"{what} met a system that float32 cannot solve ({cause}): give settings nearer to "
            "their defaults, raise the regularization (l2), or bring the click weights nearer to each other"
        ) from cause
