"""Every model by its name. A new model is one file and one line here."""

from importlib import import_module
from typing import TYPE_CHECKING

from isotherm.errors import ParameterError, brief

if TYPE_CHECKING:
    from isotherm.models.base import Recommender

REGISTRY: dict[str, str] = {
    "popularity": "isotherm.models.popularity:Popularity",
    "item-knn": "isotherm.models.neighbours.item_knn:ItemKNN",
    "content-knn": "isotherm.models.neighbours.content_knn:ContentKNN",
    "ease": "isotherm.models.linear.ease:EASE",
    "slim": "isotherm.models.linear.slim:SLIM",
    "ials": "isotherm.models.factorization.ials:IALS",
    "marec": "isotherm.models.marec.model:MARec",
    "kernel-ridge": "isotherm.models.kernel_ridge.model:KernelRidge",
    "multvae": "isotherm.models.vae.multvae:MultVAE",
    "multdae": "isotherm.models.vae.multdae:MultDAE",
    "recvae": "isotherm.models.vae.recvae:RecVAE",
    "mmr": "isotherm.models.mmr:MMR",
}


def model_class(name: str) -> "type[Recommender]":
    """The class behind a registry name. Raises ParameterError that lists the names."""
    if name not in REGISTRY:
        raise ParameterError(f"there is no model {brief(name)}; the models are {', '.join(REGISTRY)}")
    module, _, attribute = REGISTRY[name].partition(":")
    model: type[Recommender] = getattr(import_module(module), attribute)
    return model
