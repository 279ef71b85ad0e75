"""Every model by its name. A new model is one file and one line here."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

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


class ModelChoices(Mapping[str, "type[Recommender]"]):
    """Some models by name, of which a hyper-parameter is one; a class is imported when it is asked for.

    >>> from isotherm.models.registry import ModelChoices
    >>> backbones = ModelChoices("ease", "slim")
    >>> backbones.chosen("marec: backbone", "slim").name
    'slim'
    """

    def __init__(self, *names: str) -> None:
        """names: of the registry."""
        self._names = names

    def __getitem__(self, name: str) -> "type[Recommender]":
        if name not in self:
            raise KeyError(name)
        return model_class(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def chosen(self, what: str, model: Any) -> Any:
        """``model`` itself, or the default model of that name. Raises ParameterError for another model.

        what: is chosen, for the error.
        """
        if isinstance(model, str) and model in self:
            return self[model]()
        if getattr(type(model), "name", None) not in self:
            raise ParameterError(f"{what} must be one of {', '.join(self)}, not {model!r}")
        return model
