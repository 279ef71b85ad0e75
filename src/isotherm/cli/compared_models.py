"""The models that ``isotherm evaluate`` compares: built from registry names and settings, one at a time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isotherm.errors import ParameterError, brief

if TYPE_CHECKING:
    import polars as pl

    from isotherm.evaluation import Evaluation
    from isotherm.models.base import Recommender


class ComparedModels:
    """Models by name, checked before any work.

    names: of the registry.  settings: dotted name -> value, the model's name in front.
    Raises ParameterError.
    """

    def __init__(self, names: list[str], settings: Mapping[str, Any]) -> None:
        from isotherm.models.registry import model_class

        if not names or len(set(names)) < len(names):
            raise ParameterError("--models takes distinct registry names, comma-separated")
        self._classes = {name: model_class(name) for name in names}
        self._settings = _by_model(names, settings)
        self._importance: dict[str, pl.DataFrame] = {}
        for _ in self.pairs():  # raises where a setting is wrong
            pass

    def __len__(self) -> int:
        return len(self._classes)

    def __iter__(self) -> Iterator[tuple[str, "Recommender"]]:
        return self.pairs()

    def pairs(self) -> Iterator[tuple[str, "Recommender"]]:
        """Name and a fresh model, one after the other, so that one is in memory.

        What a model that was fitted meanwhile learned of the metadata is kept for ``importance``.
        """
        from isotherm.models.scorer import WeighsMetadata
        from isotherm.parameters import build

        for name, wanted in self._classes.items():
            model = build(wanted, self._settings[name])
            yield name, model
            if model.is_fitted and isinstance(model, WeighsMetadata):
                self._importance[name] = model.importance()
            del model

    def check_items(self, items: Path | None) -> None:
        """Raise ParameterError where a model needs an item table and none is given."""
        for name, wanted in self._classes.items():
            if wanted.needs_items and items is None:
                raise ParameterError(f"{name} needs an item table: --items")

    def to_come(self, then: "Callable[[Evaluation], None]") -> "Callable[[Evaluation], None]":
        """Hands an evaluation that is not complete on to ``then`` with the models still to be measured."""

        def named(so_far: "Evaluation") -> None:
            then(replace(so_far, to_come=[name for name in self._classes if name not in so_far.models]))

        return named

    def importance(self, name: str) -> "pl.DataFrame | None":
        """What this model, or else the last that can say, learned of the metadata; None where none can."""
        return self._importance.get(name, next(reversed(self._importance.values()), None))

    def best(self, evaluation: "Evaluation", k: int) -> str:
        """The model that ranks all candidates best."""
        return max(self._classes, key=lambda name: evaluation.models[name].mean("all", f"ndcg@{k}"))


def _by_model(names: list[str], settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Model -> its settings."""
    by_model: dict[str, dict[str, Any]] = {name: {} for name in names}
    for dotted, value in settings.items():
        name, _, rest = dotted.partition(".")
        if name not in by_model or not rest:
            raise ParameterError(
                f"--set {brief(dotted)}: in evaluate a setting begins with a model's name, like "
                f"{names[0]}.…; the models are {', '.join(names)}"
            )
        by_model[name][rest] = value
    return by_model
