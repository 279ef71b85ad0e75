"""Recommend brand-new items as well as well-known ones, from clicks and item metadata."""

import os

from isotherm.version import __version__

# Idle BLAS threads sleep after 2^16 cycles: ours take turns with them and need their cores. NumPy and SciPy
# read it when they are first imported.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "16")

TYPE_CHECKING = False  # typing, and all else, is imported on first use
if TYPE_CHECKING:
    from typing import Any

    from isotherm.data import Columns as Columns
    from isotherm.data import Interactions as Interactions
    from isotherm.data import Items as Items
    from isotherm.evaluation import evaluate as evaluate
    from isotherm.evaluation import ramp_up as ramp_up
    from isotherm.features.encoding import Encoding as Encoding
    from isotherm.models.factorization.ials import IALS as IALS
    from isotherm.models.fit_inputs import FitOptions as FitOptions
    from isotherm.models.kernel_ridge.model import KernelRidge as KernelRidge
    from isotherm.models.linear.ease import EASE as EASE
    from isotherm.models.linear.slim import SLIM as SLIM
    from isotherm.models.marec.model import MARec as MARec
    from isotherm.models.mmr import MMR as MMR
    from isotherm.models.neighbours.content_knn import ContentKNN as ContentKNN
    from isotherm.models.neighbours.item_knn import ItemKNN as ItemKNN
    from isotherm.models.persistence import load as load
    from isotherm.models.popularity import Popularity as Popularity
    from isotherm.models.vae.multdae import MultDAE as MultDAE
    from isotherm.models.vae.multvae import MultVAE as MultVAE
    from isotherm.models.vae.objective.anchors import ItemAnchors as ItemAnchors
    from isotherm.models.vae.objective.beta import Annealed as Annealed
    from isotherm.models.vae.objective.beta import Constant as Constant
    from isotherm.models.vae.objective.beta import PerClick as PerClick
    from isotherm.models.vae.objective.ease_term import EASETerm as EASETerm
    from isotherm.models.vae.objective.masking import Bernoulli as Bernoulli
    from isotherm.models.vae.objective.masking import Clean as Clean
    from isotherm.models.vae.objective.masking import PopularityAware as PopularityAware
    from isotherm.models.vae.objective.masking import Scheduled as Scheduled
    from isotherm.models.vae.objective.reconstruction import Multinomial as Multinomial
    from isotherm.models.vae.objective.reconstruction import SquaredError as SquaredError
    from isotherm.models.vae.recvae import RecVAE as RecVAE
    from isotherm.models.vae.training.settings import Training as Training

# Read on first use, so that ``import isotherm`` costs nothing.
_EXPORTS = {
    "Columns": "isotherm.data",
    "Interactions": "isotherm.data",
    "Items": "isotherm.data",
    "evaluate": "isotherm.evaluation",
    "ramp_up": "isotherm.evaluation",
    "Encoding": "isotherm.features.encoding",
    "IALS": "isotherm.models.factorization.ials",
    "FitOptions": "isotherm.models.fit_inputs",
    "KernelRidge": "isotherm.models.kernel_ridge.model",
    "EASE": "isotherm.models.linear.ease",
    "SLIM": "isotherm.models.linear.slim",
    "MARec": "isotherm.models.marec.model",
    "MMR": "isotherm.models.mmr",
    "ContentKNN": "isotherm.models.neighbours.content_knn",
    "ItemKNN": "isotherm.models.neighbours.item_knn",
    "load": "isotherm.models.persistence",
    "Popularity": "isotherm.models.popularity",
    "MultDAE": "isotherm.models.vae.multdae",
    "MultVAE": "isotherm.models.vae.multvae",
    "ItemAnchors": "isotherm.models.vae.objective.anchors",
    "Annealed": "isotherm.models.vae.objective.beta",
    "Constant": "isotherm.models.vae.objective.beta",
    "PerClick": "isotherm.models.vae.objective.beta",
    "EASETerm": "isotherm.models.vae.objective.ease_term",
    "Bernoulli": "isotherm.models.vae.objective.masking",
    "Clean": "isotherm.models.vae.objective.masking",
    "PopularityAware": "isotherm.models.vae.objective.masking",
    "Scheduled": "isotherm.models.vae.objective.masking",
    "Multinomial": "isotherm.models.vae.objective.reconstruction",
    "SquaredError": "isotherm.models.vae.objective.reconstruction",
    "RecVAE": "isotherm.models.vae.recvae",
    "Training": "isotherm.models.vae.training.settings",
}

__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> "Any":
    if name in _EXPORTS:
        from importlib import import_module

        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module 'isotherm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
