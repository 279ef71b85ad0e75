"""Chooses shrinkage and neighbours by how well they rank clicks that are hidden.

From 20 and 100, shrinkage by steps of 2.5 and then neighbours by steps of 2, each until both values beside it
rank worse, and both once more. What ranks no better changes nothing, so that where nothing can be told the
usual values stay.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from isotherm.checks import at_least, is_text, whole
from isotherm.models.choice.climb import climbed
from isotherm.progress import stage

SHRINKAGE, NEIGHBOURS = 20.0, 100  #: where nothing can be learned
_SHRINKAGES = (0.0, *(SHRINKAGE * 2.5**step for step in range(-4, 6)))
_NEIGHBOURS = tuple(float(round(NEIGHBOURS * 2.0**step)) for step in range(-5, 6))


@dataclass(frozen=True)
class Neighbourhood:
    """How many neighbours an item keeps, and δ of the cosines."""

    neighbours: int
    shrinkage: float

    def settings_learned(self, neighbours: int | str, shrinkage: float | str) -> dict[str, float]:
        """Those that were to be learned, by the names of a model's settings."""
        both = {"neighbours_": (neighbours, self.neighbours), "shrinkage_": (shrinkage, self.shrinkage)}
        return {name: float(value) for name, (setting, value) in both.items() if setting == "auto"}


def neighbours_setting(value: int | str) -> int | str:
    """``value`` as a whole number >= 1 or "auto", or ParameterError."""
    return "auto" if is_text(value, "auto") else whole("neighbours", value, 1)


def shrinkage_setting(value: float | str) -> float | str:
    """``value`` as a number >= 0 or "auto", or ParameterError."""
    return "auto" if is_text(value, "auto") else at_least("shrinkage", value, 0)


def learn_neighbourhood(
    neighbours: int | str,
    shrinkage: float | str,
    ndcg: Callable[[Neighbourhood], float] | None,
    unit: float = 1.0,
) -> Neighbourhood:
    """What the settings say, and for "auto" what ranks best.

    ndcg: how hidden clicks rank; None where none can be hidden.  unit: of shrinkage, a squared click.
    """
    tried: dict[tuple[float, float], float] = {}

    def value(many: float, shrunk: float) -> float:
        assert ndcg is not None
        if (many, shrunk) not in tried:
            tried[many, shrunk] = ndcg(Neighbourhood(int(many), unit * shrunk))
        return tried[many, shrunk]

    many = float(NEIGHBOURS if isinstance(neighbours, str) else neighbours)
    shrunk = SHRINKAGE if isinstance(shrinkage, str) else shrinkage / unit
    if ndcg is not None and "auto" in (neighbours, shrinkage):
        with stage("choose neighbours and shrinkage on hidden clicks"):
            for _ in range(2):
                if shrinkage == "auto":
                    shrunk = climbed(shrunk, _SHRINKAGES, partial(value, many))
                if neighbours == "auto":
                    many = climbed(many, _NEIGHBOURS, partial(value, shrunk=shrunk))
    return Neighbourhood(int(many), float(unit * shrunk) if isinstance(shrinkage, str) else shrinkage)
