"""Saves and loads any model: a folder with a JSON manifest, safetensors for arrays, Parquet for ids.

The manifest names the other files, and each of them carries the beginning of its SHA-256 in its name. A save
writes new files beside the old ones and then replaces the manifest in one step; until then the old model is
whole. Loading reads data only: the class comes from the registry, never from the folder.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from scipy.sparse import csr_array

from isotherm.data import IdMap
from isotherm.data.id_files import read_ids
from isotherm.errors import IsothermError, ModelFolderError, ParameterError, UnsupportedError, brief
from isotherm.files import DIGITS, streamed
from isotherm.folders import MODEL, read_whole, saving
from isotherm.models.registry import REGISTRY, model_class
from isotherm.parameters import Part, hyperparameters, parameters_of, part_choices
from isotherm.progress import stage
from isotherm.state import Expected, Inner, Sparse, Stateful, saved
from isotherm.untrusted import ArraysFile, DamagedError, Whole, expect, read_json, same_names
from isotherm.version import __version__

FORMAT = 4
MANIFEST = MODEL.manifest


class _Fitted(Stateful):
    """A model and the clicks it was fitted on."""

    learned = (
        Sparse("clicks_", ("n_users", "n_fitted"), least=0),
        Inner("model", lambda fitted, _: fitted.model),
    )

    def __init__(self, model: Any) -> None:
        self.model = model

    @property
    def clicks_(self) -> csr_array:
        """Of the model."""
        return self.model.clicks_

    @clicks_.setter
    def clicks_(self, clicks: csr_array) -> None:
        self.model.clicks_ = clicks


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted model to the folder ``path``, whole or not at all; an old model there is replaced.

    Raises ModelFolderError where ``path`` is a file or a folder of anything else, or a number of the model is
    not finite; OutputError where it cannot be written, UnsupportedError where the model holds a part that
    could not be loaded again.
    """
    described = _described(model)
    try:
        arrays, document = saved(_Fitted(model), model.sizes())
    except DamagedError as cause:
        raise ModelFolderError(
            f"{path}: this {model.name} cannot be saved ({cause}); fit it again"
        ) from cause
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
            "state": document["model"],
        }
        folder.commit(manifest)


def load(path: str | os.PathLike[str]) -> Any:
    """The model that ``save`` wrote to the folder ``path``.

    Nothing in the folder is trusted: names, types, shapes and ranges follow from the manifest and from what
    the model declares, and are checked before memory is taken for them. What the folder holds is data, so
    that a wrong number is still a number: keep models where only you can write.
    Raises ModelFolderError where there is no model, it is damaged, or another format wrote it.

    >>> from isotherm import Interactions, Popularity, load
    >>> from scipy.sparse import csr_array
    >>> Popularity().fit(Interactions.from_csr(csr_array([[1, 1], [0, 1]]))).save("model")
    >>> load("model")
    Popularity()
    """
    return read_whole(path, MODEL, _loaded)


def _loaded(folder: Path) -> Any:
    with _blamed(folder / MANIFEST):
        manifest = _manifest(folder)
        model = _built(manifest)
        files = {role: folder / _file_name(manifest, role) for role in MODEL.roles}
    for file in files.values():
        if not file.is_file():
            raise ModelFolderError(f"{file}: this file of the saved model is missing; save or copy it again")
    n_users, n_fitted = manifest["clicks"]
    with _blamed(files["users"]):
        model.users_ = read_ids(_content(files["users"]), n_users)
    with _blamed(files["items"]):
        model.items_ = read_ids(_content(files["items"]))
    with _blamed(folder / MANIFEST):
        sizes = {"n_users": n_users, "n_items": len(model.items_), "n_fitted": n_fitted}
        if n_fitted > len(model.items_):
            raise DamagedError(f"clicks on {n_fitted:,} of {len(model.items_):,} items")
        expected = Expected(_Fitted(model), {"model": manifest["state"]}, sizes)
    with _blamed(files["arrays"]):
        stored = ArraysFile(files["arrays"])
        expected.check_headers(stored.headers)
        arrays, digest = stored.read()
        _check_digest(files["arrays"], digest)
        expected.fill(arrays)
    return model


@contextmanager
def _blamed(file: Path) -> Iterator[None]:
    """What is wrong with the content of a file, as an error that names it and the cure."""
    try:
        yield
    except OSError as cause:
        if isinstance(cause, IsothermError):
            raise
        raise ModelFolderError(f"{file}: cannot be read ({cause.strerror or cause}); mend that") from cause
    except DamagedError as cause:
        raise ModelFolderError(f"{file}: is damaged ({cause}); save or copy the model again") from cause


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
    """The unfitted model that a manifest describes."""
    try:
        return _described_model(description, "manifest")
    except (ParameterError, TypeError, ValueError, OverflowError, RecursionError) as cause:
        if isinstance(cause, DamagedError):
            raise
        raise DamagedError(f"its hyper-parameters are wrong: {cause}"[:200]) from cause


def _described_model(description: dict[str, Any], where: str) -> Any:
    name = expect(description.get("model"), str, f"{where}.model")
    if name not in REGISTRY:
        raise DamagedError(f"there is no model {brief(name)} in this isotherm")
    return _with(model_class(name), description, name)


def _with(made: type[Any], description: dict[str, Any], where: str) -> Any:
    """The class ``made`` with the described hyper-parameters, all of them."""
    given = expect(description.get("parameters"), dict, f"{where}.parameters")
    same_names(given, parameters_of(made), f"{where}.parameters")
    return made(**{name: _value(made, name, value) for name, value in given.items()})


def _value(owner: type[Any], name: str, value: Any) -> Any:
    """A hyper-parameter as it was: plain, a part of its owner, or a model."""
    if not isinstance(value, dict):
        return value
    choices = part_choices(owner).get(name)
    if choices is None:
        return _described_model(value, name)
    chosen = expect(value.get("model"), str, f"{name}.model")
    if chosen not in choices:
        raise DamagedError(f"{name} is no {brief(chosen)}")
    return _with(choices[chosen], value, name)


def _ids_writer(ids: IdMap) -> Callable[[Path], object]:
    return streamed(ids.values.to_frame().write_parquet)


def _manifest(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    if not file.is_file():
        raise ModelFolderError(f"{folder}: holds no saved model (no {MANIFEST})")
    manifest = expect(read_json(file), dict, "it")
    version = expect(manifest.get("format"), Whole(1), "format")
    if version != FORMAT:
        cure = "upgrade it" if version > FORMAT else "fit the model again"
        writer = str(manifest.get("isotherm", "?"))[:40]
        raise ModelFolderError(
            f"{folder}: was written in format {version} by isotherm {writer}; "
            f"this is isotherm {__version__}, which reads format {FORMAT}: {cure}"
        )
    schema = {
        "format": Whole(),
        "isotherm": str,
        "model": str,
        "parameters": dict,
        "clicks": (Whole(1), Whole(1)),
        "files": dict.fromkeys(MODEL.roles, str),
        "state": dict,
    }
    return dict(expect(manifest, schema, "manifest"))


def _file_name(manifest: dict[str, Any], role: str) -> str:
    """Name of the file of a role: made of the role and its content, so that it lies in the folder."""
    name: str = manifest["files"][role]
    if not MODEL.digests({"files": {role: name}}):
        raise DamagedError(f"files.{role} is {brief(name)}, which is no name of such a file")
    return name


def _content(file: Path) -> bytes:
    content = file.read_bytes()
    _check_digest(file, hashlib.sha256(content).hexdigest())
    return content


def _check_digest(file: Path, digest: str) -> None:
    if not file.stem.endswith(f"-{digest[:DIGITS]}"):
        raise DamagedError("its content changed")
