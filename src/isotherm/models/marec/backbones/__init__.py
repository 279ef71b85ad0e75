"""Backbones of MARec with its alignment term: one file per family.

base         what a family is: an Aligner, which fits an AlignedBackbone
linear       EASE (eq. 9) and weighted SLIM (eq. 10-11), through the cold operator
collective   EASE with λ₀ above 0 (eq. 8-9)
factors      iALS, by confidence-weighted soft targets
vae          the VAEs, by soft targets (eq. 7); vae_network fits decoder rows of new items
"""

from importlib import import_module
from typing import Any

from isotherm.errors import UnsupportedError
from isotherm.models.marec.backbones.base import Aligner
from isotherm.models.registry import ModelChoices

_LINEAR = "isotherm.models.marec.backbones.linear"
_VAE = "isotherm.models.marec.backbones.vae:VAEAligner"
_COLLECTIVE = "isotherm.models.marec.backbones.collective:CollectiveAligner"  # EASE with λ₀ above 0
_FAMILIES = {
    "ease": f"{_LINEAR}:EASEAligner",
    "slim": f"{_LINEAR}:SLIMAligner",
    "ials": "isotherm.models.marec.backbones.factors:FactorsAligner",
    "multvae": _VAE,
    "multdae": _VAE,
    "recvae": _VAE,
}

BACKBONES = ModelChoices(*_FAMILIES)


def aligner_of(backbone: Any, alpha: float, smoothing: float | str) -> Aligner:
    """The family of ``backbone``, ready to be fitted.

    alpha: α of eq. 6.  smoothing: t of EASE and SLIM, or "auto"; the others have none. Raises ParameterError.
    """
    family = _FAMILIES[checked_backbone(backbone).name]
    if getattr(backbone, "collective", 0):
        family = _COLLECTIVE
    module, _, attribute = family.partition(":")
    settings = (smoothing,) if family.startswith(_LINEAR) else ()
    if not settings and smoothing not in ("auto", 1.0):
        raise UnsupportedError(f"marec on {backbone.name} knows no smoothing; leave it at 1")
    aligner: Aligner = getattr(import_module(module), attribute)(backbone, alpha, *settings)
    return aligner


def checked_backbone(backbone: Any) -> Any:
    """``backbone`` itself, or the default model of that name. Raises ParameterError for another model."""
    return BACKBONES.chosen("marec: backbone", backbone)
