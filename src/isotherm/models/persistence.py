"""Saves and loads any model: a folder of a JSON manifest, safetensors for arrays, Parquet for ids and labels.

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
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from safetensors.numpy import save_file

from isotherm.checks import truth
from isotherm.data import IdMap
from isotherm.data.id_files import catalogue_table, read_catalogue, read_ids
from isotherm.errors import IsothermError, ModelFolderError, ParameterError, UnsupportedError, brief
from isotherm.files import DIGITS, streamed
from isotherm.folders import MODEL, read_whole, saving
from isotherm.models.registry import REGISTRY, model_class
from isotherm.parameters import Part, has_settings, hyperparameters, parameters_of, part_choices
from isotherm.progress import stage
from isotherm.state import ExpectedState, Inner, Sparse, Stateful, saved
from isotherm.types import UserItems
from isotherm.untrusted import ArraysFile, DamagedError, Whole, expect, read_json, same_names
from isotherm.version import __version__

if TYPE_CHECKING:
    from isotherm.models.base import Recommender

Described = TypeVar("Described")
FORMAT = 7
MANIFEST = MODEL.manifest


class _ModelWithClicks(Stateful):
    """A model and the clicks it was fitted on, which it does not declare itself."""

    learned = (
        Sparse("clicks_", ("n_users", "n_fitted"), least=0),
        Inner("model", lambda holder, _: holder.model),
    )

    def __init__(self, model: "Recommender") -> None:
        self.model = model

    @property
    def clicks_(self) -> UserItems:
        """Of the model."""
        return self.model.clicks_

    @clicks_.setter
    def clicks_(self, clicks: UserItems) -> None:
        self.model.clicks_ = clicks


def save(model: "Recommender", path: str | os.PathLike[str]) -> None:
    """Write a fitted model to the folder ``path``, whole or not at all; an old model there is replaced.

    Raises ModelFolderError where ``path`` is a file or a folder of anything else, or a number of the model is
    not finite; OutputError where it cannot be written, UnsupportedError where the model holds a part that
    could not be loaded again.
    """
    description = _description(model)
    try:  # fit looked at the same numbers; since then items may have been added, or arrays written to
        arrays, document = saved(_ModelWithClicks(model), model.sizes())
    except DamagedError as cause:
        raise ModelFolderError(
            f"{path}: this {model.name} cannot be saved ({cause}); fit it again"
        ) from cause
    with stage(f"save {model.name}"), saving(path, MODEL) as folder:
        files = {
            "arrays": folder.by_content("arrays", ".safetensors", lambda file: save_file(arrays, file)),
            "users": folder.by_content("users", ".parquet", _ids_writer(model.users_)),
            "items": folder.by_content(
                "items", ".parquet", streamed(catalogue_table(model.items_, model.labels_).write_parquet)
            ),
        }
        manifest = {
            "format": FORMAT,
            "isotherm": __version__,
            **description,
            "clicks": list(model.clicks_.shape),
            "files": files,
            "state": document["model"],
        }
        folder.commit(manifest)


def load(path: str | os.PathLike[str], *, mapped: bool = False, verify: bool = True) -> "Recommender":
    """The model that ``save`` wrote to the folder ``path``.

    mapped: whether float arrays stay in the file and are read where they are needed. Processes on one machine
    then share one copy in memory. The file must not be written to meanwhile: ``save`` never does, it puts
    another file beside it; a program that cuts it off ends each process that reads behind the cut.
    verify: whether the arrays are held against their SHA-256, and each float against what is declared; that
    reads all of them. False is for a process whose parent has loaded the same folder with True. Whole numbers
    are copied and looked at in any case, as memory is read by them: a damaged file can then give wrong scores
    or an error, and no more.

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
    mapped, verify = truth("mapped", mapped), truth("verify", verify)
    return read_whole(path, MODEL, lambda folder: _loaded(folder, mapped, verify))


def _loaded(folder: Path, mapped: bool, verify: bool) -> "Recommender":
    with _errors_name(folder / MANIFEST):
        manifest = _manifest(folder)
        model = _unfitted(manifest)
        files = {role: folder / _file_name(manifest, role) for role in MODEL.roles}
    for file in files.values():
        if not file.is_file():
            raise ModelFolderError(f"{file}: this file of the saved model is missing; save or copy it again")
    n_users, n_fitted = manifest["clicks"]
    with _errors_name(files["users"]):
        model.users_ = read_ids(_content(files["users"]), n_users)
    with _errors_name(files["items"]):
        model.items_, model.labels_ = read_catalogue(_content(files["items"]))
    with _errors_name(folder / MANIFEST):
        sizes = {"n_users": n_users, "n_items": len(model.items_), "n_fitted": n_fitted}
        if n_fitted > len(model.items_):
            raise DamagedError(f"clicks on {n_fitted:,} of {len(model.items_):,} items")
        expected = ExpectedState(_ModelWithClicks(model), {"model": manifest["state"]}, sizes)
    with _errors_name(files["arrays"]):
        stored = ArraysFile(files["arrays"])
        expected.check_headers(stored.headers)
        arrays, digest = stored.mapped(with_digest=verify) if mapped else stored.read()
        if verify and digest is not None:
            _check_digest(files["arrays"], digest)
        expected.fill(arrays, verify)
    return model


@contextmanager
def _errors_name(file: Path) -> Iterator[None]:
    """What is wrong with the content of a file, as an error that names it and the cure."""
    try:
        yield
    except OSError as cause:
        if isinstance(cause, IsothermError):
            raise
        raise ModelFolderError(f"{file}: cannot be read ({cause.strerror or cause}); mend that") from cause
    except DamagedError as cause:
        raise ModelFolderError(f"{file}: is damaged ({cause}); save or copy the model again") from cause


def _description(model: Any, choices: Mapping[str, type[Any]] | None = None) -> dict[str, Any]:
    """Registry name and hyper-parameters; a part or a model among them is described the same way.

    choices: the parts that a name can stand for; None: the registry.  Raises UnsupportedError where the name
    stands for another class, or a hyper-parameter is no plain value: such a model could not be loaded.
    """
    owner, name = type(model), getattr(model, "name", None)
    known: type[Any] | None
    if choices is None:
        known = model_class(str(name)) if name in REGISTRY else None
        cure = "isotherm.models.registry.REGISTRY"
    else:
        known, cure = choices.get(str(name)), f"the parts that are known: {', '.join(choices)}"
    if known is not owner:
        raise UnsupportedError(
            f"{owner.__name__} is a class of your own, and a saved model is loaded by names alone: give it a "
            f"name and add it to {cure}, before saving and before loading"
        )
    inner_choices = part_choices(owner)
    parameters = {
        name: _description(value, inner_choices.get(name))
        if isinstance(value, Part) or has_settings(value)
        else _plain(owner, name, value)
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


def _unfitted(description: dict[str, Any]) -> "Recommender":
    """The unfitted model that a manifest describes."""
    try:
        return _model_of(description, "manifest")
    except (ParameterError, TypeError, ValueError, OverflowError, RecursionError) as cause:
        if isinstance(cause, DamagedError):
            raise
        raise DamagedError(f"its hyper-parameters are wrong: {cause}"[:200]) from cause


def _model_of(description: dict[str, Any], where: str) -> "Recommender":
    name = expect(description.get("model"), str, f"{where}.model")
    if name not in REGISTRY:
        raise DamagedError(f"there is no model {brief(name)} in this isotherm")
    return _with_parameters(model_class(name), description, name)


def _with_parameters(owner: type[Described], description: dict[str, Any], where: str) -> Described:
    """An object of the class with the described hyper-parameters, all of them."""
    given = expect(description.get("parameters"), dict, f"{where}.parameters")
    same_names(given, parameters_of(owner), f"{where}.parameters")
    return owner(**{name: _value(owner, name, value) for name, value in given.items()})


def _value(owner: type[Any], name: str, value: Any) -> Any:
    """A hyper-parameter as it was: plain, a part of its owner, or a model."""
    if not isinstance(value, dict):
        return value
    choices = part_choices(owner).get(name)
    if choices is None:
        return _model_of(value, name)
    chosen = expect(value.get("model"), str, f"{name}.model")
    if chosen not in choices:
        raise DamagedError(f"{name} is no {brief(chosen)}")
    return _with_parameters(choices[chosen], value, name)


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
