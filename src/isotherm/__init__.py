"""Recommend brand-new items as well as well-known ones, from clicks and item metadata."""

from isotherm.version import __version__

TYPE_CHECKING = False  # typing, and all else, is imported on first use
if TYPE_CHECKING:
    from typing import Any

    from isotherm.data import Columns as Columns
    from isotherm.data import Interactions as Interactions
    from isotherm.data import Items as Items
    from isotherm.evaluation import evaluate as evaluate
    from isotherm.evaluation import ramp_up as ramp_up
    from isotherm.models.content_knn import ContentKNN as ContentKNN
    from isotherm.models.ease import EASE as EASE
    from isotherm.models.ials import IALS as IALS
    from isotherm.models.item_knn import ItemKNN as ItemKNN
    from isotherm.models.kernel_ridge import KernelRidge as KernelRidge
    from isotherm.models.marec import MARec as MARec
    from isotherm.models.mmr import MMR as MMR
    from isotherm.models.persistence import load as load
    from isotherm.models.popularity import Popularity as Popularity
    from isotherm.models.slim import SLIM as SLIM
    from isotherm.models.vae.anchors import ItemAnchors as ItemAnchors
    from isotherm.models.vae.beta import Annealed as Annealed
    from isotherm.models.vae.beta import Constant as Constant
    from isotherm.models.vae.beta import PerClick as PerClick
    from isotherm.models.vae.masking import Bernoulli as Bernoulli
    from isotherm.models.vae.masking import Clean as Clean
    from isotherm.models.vae.masking import PopularityAware as PopularityAware
    from isotherm.models.vae.masking import Scheduled as Scheduled
    from isotherm.models.vae.multdae import MultDAE as MultDAE
    from isotherm.models.vae.multvae import MultVAE as MultVAE
    from isotherm.models.vae.recvae import RecVAE as RecVAE
    from isotherm.models.vae.settings import Training as Training
    from isotherm.models.vae.skip import EASESkip as EASESkip

# Read on first use, so that ``import isotherm`` costs nothing.
_EXPORTS = {
    "Columns": "isotherm.data",
    "Interactions": "isotherm.data",
    "Items": "isotherm.data",
    "evaluate": "isotherm.evaluation",
    "ramp_up": "isotherm.evaluation",
    "ContentKNN": "isotherm.models.content_knn",
    "EASE": "isotherm.models.ease",
    "SLIM": "isotherm.models.slim",
    "IALS": "isotherm.models.ials",
    "ItemKNN": "isotherm.models.item_knn",
    "KernelRidge": "isotherm.models.kernel_ridge",
    "MARec": "isotherm.models.marec",
    "MMR": "isotherm.models.mmr",
    "Popularity": "isotherm.models.popularity",
    "load": "isotherm.models.persistence",
    "MultVAE": "isotherm.models.vae.multvae",
    "MultDAE": "isotherm.models.vae.multdae",
    "RecVAE": "isotherm.models.vae.recvae",
    "ItemAnchors": "isotherm.models.vae.anchors",
    "EASESkip": "isotherm.models.vae.skip",
    "Training": "isotherm.models.vae.settings",
    "Annealed": "isotherm.models.vae.beta",
    "Constant": "isotherm.models.vae.beta",
    "PerClick": "isotherm.models.vae.beta",
    "Bernoulli": "isotherm.models.vae.masking",
    "Clean": "isotherm.models.vae.masking",
    "PopularityAware": "isotherm.models.vae.masking",
    "Scheduled": "isotherm.models.vae.masking",
}

__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> "Any":
    if name in _EXPORTS:
        from importlib import import_module

        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module 'isotherm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
