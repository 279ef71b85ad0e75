"""Backbones of MARec with its alignment term: one file a family, behind one interface (``base.Aligned``)."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from isotherm.errors import ParameterError
from isotherm.models.marec.backbones.base import Aligned
from isotherm.models.registry import model_class

_NETWORKS = "isotherm.models.marec.backbones.vae:AlignedNetwork"
_COLLECTIVE = "isotherm.models.marec.backbones.collective:AlignedCollective"  # EASE with λ₀ above 0
_FAMILIES = {
    "ease": "isotherm.models.marec.backbones.linear:AlignedEASE",
    "slim": "isotherm.models.marec.backbones.linear:AlignedSLIM",
    "ials": "isotherm.models.marec.backbones.factors:AlignedFactors",
    "multvae": _NETWORKS,
    "multdae": _NETWORKS,
    "recvae": _NETWORKS,
}


class _Backbones(Mapping[str, type[Any]]):
    """Registry name -> class; a class is imported when it is asked for."""

    def __getitem__(self, name: str) -> type[Any]:
        if name not in _FAMILIES:
            raise KeyError(name)
        return model_class(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_FAMILIES)

    def __len__(self) -> int:
        return len(_FAMILIES)


BACKBONES = _Backbones()


def aligned(backbone: Any) -> Aligned:
    """``backbone``, ready to be fitted with an alignment. Raises ParameterError for another model."""
    family = _FAMILIES[check(backbone).name]
    if getattr(backbone, "collective", 0):
        family = _COLLECTIVE
    module, _, attribute = family.partition(":")
    made: Aligned = getattr(import_module(module), attribute)(backbone)
    return made


def check(backbone: Any) -> Any:
    """``backbone`` itself, or the default model of that name. Raises ParameterError for another model."""
    if isinstance(backbone, str) and backbone in _FAMILIES:
        return BACKBONES[backbone]()
    if getattr(type(backbone), "name", None) not in _FAMILIES:
        raise ParameterError(f"marec: backbone must be one of {', '.join(_FAMILIES)}, not {backbone!r}")
    return backbone
