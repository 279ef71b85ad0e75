"""Saves and loads any model: a folder with a JSON manifest, safetensors for arrays, Parquet for ids.

The manifest names the other files, and each of them carries the beginning of its SHA-256 in its name. A save
writes new files beside the old ones and then replaces the manifest in one step; until then the old model is
whole. Loading reads data only: the class comes from the registry, never from the folder.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_array

from isotherm.data import IdMap
from isotherm.errors import ModelFolderError, ParameterError, UnsupportedError, brief
from isotherm.files import is_whole, streamed
from isotherm.folders import MODEL, saving
from isotherm.models.catalogue import part
from isotherm.models.parameters import Part, hyperparameters, part_choices
from isotherm.models.registry import REGISTRY, model_class
from isotherm.progress import stage
from isotherm.version import __version__

FORMAT = 2
MANIFEST = MODEL.manifest
_CLICKS = ("data", "indices", "indptr")


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted model to the folder ``path``, whole or not at all; an old model there is replaced.

    Raises ModelFolderError where ``path`` is a file or a folder of anything else, OutputError where it cannot
    be written, UnsupportedError where the model holds a part that could not be loaded again.
    """
    described = _described(model)
    arrays, document = model.state()
    arrays = {f"model/{name}": np.ascontiguousarray(array) for name, array in arrays.items()}
    arrays |= {f"clicks/{name}": getattr(model.clicks_, name) for name in _CLICKS}
    with stage(f"save {model.name}"), saving(path, MODEL) as folder:
        files = {
            "arrays": folder.by_content("arrays", ".safetensors", lambda file: save_file(arrays, file)),
            "users": folder.by_content("users", ".parquet", _ids_writer(model.users_)),
            "items": folder.by_content("items", ".parquet", _ids_writer(model.items_)),
        }
        manifest = {
            "format": FORMAT,
            "isotherm": __version__,
            **described,
            "clicks": list(model.clicks_.shape),
            "files": files,
            "state": document,
        }
        folder.commit(manifest)


def load(path: str | os.PathLike[str]) -> Any:
    """The model that ``save`` wrote to the folder ``path``.

    Raises ModelFolderError where there is none, it is damaged, or a newer isotherm wrote it.
    """
    folder = Path(path)
    manifest = _manifest(folder)
    try:
        model = _built(manifest)
        files = {name: _whole(folder, file) for name, file in manifest["files"].items()}
        arrays = load_file(files["arrays"])
        clicks = part(arrays, "clicks/")
        model.users_, model.items_ = _ids(files["users"]), _ids(files["items"])
        model.clicks_ = csr_array(tuple(clicks[name] for name in _CLICKS), shape=tuple(manifest["clicks"]))
        model.restore(part(arrays, "model/"), manifest["state"])
    except (KeyError, TypeError, ValueError, SafetensorError, pl.exceptions.PolarsError) as cause:
        raise ModelFolderError(
            f"{folder}: the saved model is damaged ({type(cause).__name__}: {cause}); save or copy it again"
        ) from cause
    return model


def _described(model: Any, named: Mapping[str, type[Any]] | None = None) -> dict[str, Any]:
    """Registry name and hyper-parameters; a part or a model among them is described the same way.

    named: the parts that a name can stand for; None: the registry.  Raises UnsupportedError where the name
    stands for another class, or a hyper-parameter is no plain value: such a model could not be loaded.
    """
    made, name = type(model), getattr(model, "name", None)
    if named is None:
        known, cure = (model_class(name) if name in REGISTRY else None), "isotherm.models.registry.REGISTRY"
    else:
        known, cure = named.get(str(name)), f"the parts that are known: {', '.join(named)}"
    if known is not made:
        raise UnsupportedError(
            f"{made.__name__} is a class of your own, and a saved model is loaded by names alone: give it a "
            f"name and add it to {cure}, before saving and before loading"
        )
    choices = part_choices(made)
    parameters = {
        name: _described(value, choices.get(name))
        if isinstance(value, Part) or hasattr(type(value), "name")
        else _plain(made, name, value)
        for name, value in hyperparameters(model).items()
    }
    return {"model": name, "parameters": parameters}


def _plain(owner: type[Any], name: str, value: Any) -> Any:
    """A hyper-parameter that JSON can hold."""
    value = value.item() if isinstance(value, np.generic) else value
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as cause:
        raise UnsupportedError(
            f"{owner.__name__}: {name}={brief(value)} cannot be saved: settings are numbers, text and lists"
        ) from cause
    return value


def _built(description: dict[str, Any]) -> Any:
    if description["model"] not in REGISTRY:
        raise ParameterError(f"there is no model {description['model']!r} in this isotherm")
    return _with(model_class(description["model"]), description)


def _with(made: type[Any], description: dict[str, Any]) -> Any:
    """The class ``made`` with the described hyper-parameters."""
    return made(**{name: _value(made, name, value) for name, value in description["parameters"].items()})


def _value(owner: type[Any], name: str, value: Any) -> Any:
    """A hyper-parameter as it was: plain, a part of its owner, or a model."""
    if not isinstance(value, dict):
        return value
    choices = part_choices(owner).get(name)
    return _built(value) if choices is None else _with(choices[value["model"]], value)


def _ids_writer(ids: IdMap) -> Callable[[Path], object]:
    return streamed(ids.values.to_frame().write_parquet)


def _ids(file: Path) -> IdMap:
    return IdMap(pl.read_parquet(file)["id"])


def _manifest(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    if not file.is_file():
        raise ModelFolderError(f"{folder}: holds no saved model (no {MANIFEST})")
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        version = int(manifest["format"])
    except (KeyError, TypeError, ValueError) as cause:
        raise ModelFolderError(
            f"{file}: is damaged ({type(cause).__name__}: {cause}); save or copy it again"
        ) from cause
    if version != FORMAT:
        cure = "upgrade it" if version > FORMAT else "fit the model again"
        raise ModelFolderError(
            f"{folder}: was written in format {version} by isotherm {manifest.get('isotherm', '?')}; "
            f"this is isotherm {__version__}, which reads format {FORMAT}: {cure}"
        )
    return dict(manifest)


def _whole(folder: Path, name: str) -> Path:
    file = folder / name
    if Path(name).name != name or not file.is_file():
        raise ModelFolderError(f"{file}: this file of the saved model is missing; save or copy it again")
    if not is_whole(file):
        raise ModelFolderError(f"{file}: is damaged (its content changed); save or copy the model again")
    return file
