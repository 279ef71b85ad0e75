"""The grid of a sweep: values of β, the mask's keep probability and λ_A, and the settings they stand for."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from isotherm.errors import ParameterError
from isotherm.models.registry import model_class
from isotherm.parameters import build

#: kind of β, of mask -> the setting that is swept
_BETA = {"annealed": "cap", "constant": "value", "per-click": "gamma"}
_KEEP = {"bernoulli": "keep", "popularity": "keep", "scheduled": "end"}


@dataclass(frozen=True)
class Grid:
    """Values that are swept, one field an axis; where one is empty, the model keeps its setting.

    beta: of β.  keep: of the mask's keep probability.  anchors: of λ_A.
    """

    beta: Sequence[float] = ()
    keep: Sequence[float] = ()
    anchors: Sequence[float] = ()

    @property
    def values(self) -> dict[str, list[float]]:
        """Axis -> its values, of the axes that are swept."""
        axes = {field.name: list(getattr(self, field.name)) for field in fields(self)}
        return {axis: values for axis, values in axes.items() if values}

    def cells(self, names: Mapping[str, str]) -> dict[str, dict[str, float]]:
        """Name of each cell -> its dotted settings.  names: axis -> dotted setting.

        >>> from isotherm.tuning.grid import Grid
        >>> Grid(keep=[0.5, 1]).cells({"keep": "mask.keep"})
        {'keep=0.5': {'mask.keep': 0.5}, 'keep=1': {'mask.keep': 1.0}}
        """
        points = (
            dict(zip(self.values, point, strict=True)) for point in itertools.product(*self.values.values())
        )
        return {
            ",".join(f"{axis}={value:g}" for axis, value in point.items()) or "model": {
                names[axis]: float(value) for axis, value in point.items()
            }
            for point in points
        }


def swept_settings(model: str, settings: Mapping[str, Any], grid: Grid) -> dict[str, str]:
    """Axis -> its dotted setting in this model, for each axis that the model has.

    Raises ParameterError where the grid has another axis, a value twice, or a setting that is set as well.
    """
    names = _axes(model, settings, grid)
    for axis, values in grid.values.items():
        if names[axis] in settings:
            raise ParameterError(f"{names[axis]} is both set and swept (--{axis}); leave one of them out")
        if len({f"{value:g}" for value in values}) < len(values):
            raise ParameterError(f"--{axis} names a value twice; give each once")
    return names


def _axes(model: str, settings: Mapping[str, Any], grid: Grid) -> dict[str, str]:
    example = build(model_class(model), settings)
    if not hasattr(example, "anchors") or not hasattr(example, "mask"):
        raise ParameterError(
            f"a sweep is over multvae, multdae or recvae; {model} has no mask and no anchors"
        )
    names = {}
    if hasattr(example, "beta"):
        names["beta"] = f"beta.{_BETA[example.beta.name]}"
    elif grid.beta:
        raise ParameterError(f"{model} has no β to sweep; leave --beta out")
    if example.mask.name in _KEEP:
        names["keep"] = f"mask.{_KEEP[example.mask.name]}"
    elif grid.keep:
        raise ParameterError(f"mask={example.mask.name} keeps everything; leave --keep out or the mask in")
    return names | {"anchors": "anchors.weight"}
