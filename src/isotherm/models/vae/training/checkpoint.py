"""The folder of one training run: a checkpoint to go on from after a crash, and a JSONL log.

A checkpoint is safetensors named by its own SHA-256 and a JSON file that names it and is replaced in one
step: a kill at any moment leaves the last whole one. A run holds its folder: no other writes to it meanwhile.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from scipy.sparse import csr_array
from torch import Tensor

from isotherm.errors import TrainingError, brief
from isotherm.files import is_whole, locked, told
from isotherm.folders import RUN, check_folder, manifest_of, saving_locked
from isotherm.parameters import hyperparameters
from isotherm.types import Array
from isotherm.untrusted import ArraysFile, DamagedError, Each, Header, expect, read_json, same_names
from isotherm.version import __version__

FORMAT = 2
MANIFEST = RUN.manifest
LOG = "run.jsonl"

Part: TypeAlias = Mapping[str, Tensor]  # arrays by name, of the types and shapes that they must have
Checkpoint: TypeAlias = tuple[dict[str, Tensor], dict[str, Any]]
_DTYPES = {torch.float32: "F32", torch.bfloat16: "BF16"}


class RunFolder:
    """Where a run keeps its checkpoint and its log.

    fingerprint: all that the run reads, name -> value or SHA-256. A folder with another one is refused.
    """

    def __init__(self, path: str | os.PathLike[str], fingerprint: Mapping[str, str]) -> None:
        check_folder(path, RUN)
        self.path = Path(path)
        self.fingerprint = {**fingerprint, "isotherm": f"{__version__}, format {FORMAT}"}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other runs out, and clear what a killed one left. Raises TrainingError where one is in."""
        with ExitStack() as stack:
            try:
                has_locks = stack.enter_context(locked(self.path, wait=False))
            except BlockingIOError as cause:
                raise TrainingError(
                    f"{self.path}: another training is at work in this folder; wait for it, or name another"
                ) from cause
            with saving_locked(self.path, RUN, clear=has_locks) as save:
                if manifest_of(self.path, RUN) is None:  # from now on it is known as this run's
                    save.commit({"fingerprint": self.fingerprint, "files": {}})
            yield

    def log(self, event: str, **facts: Any) -> None:
        """Append one line: time, event, facts."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, **facts})
        with told(self.path / LOG), open(self.path / LOG, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def save(self, arrays: Mapping[str, Tensor], document: Mapping[str, Any]) -> None:
        """Replace the checkpoint, whole or not at all; the folder is held."""
        whole = {name: array.detach().cpu().contiguous() for name, array in arrays.items()}
        with saving_locked(self.path, RUN, clear=False) as folder:
            file = folder.by_content("checkpoint", ".safetensors", lambda file: save_file(whole, file))
            folder.commit({**document, "fingerprint": self.fingerprint, "files": {"checkpoint": file}})

    def load(self, schema: Mapping[str, Any], parts: Iterable[Part]) -> Checkpoint | None:
        """The checkpoint, or None where there is none.

        schema: of the plain JSON that was saved with it.  parts: arrays that belong together; the first must
        be there, each of the others whole or not at all, and nothing else.
        Raises TrainingError where it is damaged, or of another fit.
        """
        manifest = self.path / MANIFEST
        if not manifest.is_file():
            return None
        try:
            return self._loaded(schema, parts)
        except (DamagedError, OSError, SafetensorError) as cause:
            if isinstance(cause, TrainingError):
                raise
            raise TrainingError(
                f"{manifest}: the checkpoint is damaged ({cause}); remove the folder to train from the start"
            ) from cause

    def _loaded(self, schema: Mapping[str, Any], parts: Iterable[Part]) -> Checkpoint | None:
        document = expect(read_json(self.path / MANIFEST), dict, "it")
        self._check_same(expect(document.get("fingerprint"), Each(str), "fingerprint"))
        if document.get("files") == {}:
            return None
        document = expect(document, {"fingerprint": dict, "files": {"checkpoint": str}, **schema}, "it")
        name = document["files"]["checkpoint"]
        if name not in RUN.digests(document):
            raise DamagedError(f"{brief(name)} is no name of a checkpoint")
        file = self.path / name
        if not file.is_file():
            raise DamagedError(f"{name} is missing")
        _check_headers(ArraysFile(file).headers, parts)
        if not is_whole(file):
            raise DamagedError("its content changed")
        arrays = load_file(file)
        for what, array in arrays.items():
            if not array.isfinite().all():
                raise DamagedError(f"{brief(what)} holds a number that is not finite")
        return arrays, document

    def _check_same(self, there: Mapping[str, str]) -> None:
        """Raise TrainingError that names what another fit read otherwise."""
        names = [*self.fingerprint, *(name for name in there if name not in self.fingerprint)]
        differ = [name for name in names if self.fingerprint.get(name) != there.get(name)]
        if differ:
            more = f" and {len(differ) - 5} more" if len(differ) > 5 else ""
            raise TrainingError(
                f"{self.path}: holds a run of another fit: {', '.join(differ[:5])}{more} differ; "
                "name another folder for this run, or remove that one"
            )


def _check_headers(headers: Mapping[str, Header], parts: Iterable[Part]) -> None:
    """That the arrays are those of the parts, in name, type and shape."""
    wanted: dict[str, Tensor] = {}
    for number, part in enumerate(parts):
        if not number or any(name in headers for name in part):
            wanted |= part
    same_names(headers, wanted, "its arrays")
    for name, like in wanted.items():
        found, shape = headers[name], tuple(like.shape)
        if (found.dtype, found.shape) != (_DTYPES[like.dtype], shape):
            raise DamagedError(
                f"{brief(name)} is {found.dtype} of shape {brief(found.shape)} and must be "
                f"{_DTYPES[like.dtype]} of shape {brief(shape)}"
            )


def described(model: object, prefix: str = "") -> dict[str, str]:
    """Dotted name -> value of every hyper-parameter of a model and its parts."""
    found = {}
    for name, value in hyperparameters(model).items():
        if hasattr(type(value), "name"):
            found[prefix + name] = type(value).__name__
            found |= described(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = repr(value)
    return found


def digest(*arrays: Array) -> str:
    """SHA-256 of arrays with their types and shapes."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype.str} {array.shape} ".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def digest_of_rows(*matrices: csr_array) -> str:
    """The same of CSR matrices."""
    parts = [part for m in matrices for part in (np.array(m.shape), m.indptr, m.indices, m.data)]
    return digest(*parts)


def with_prefix(prefix: str, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The arrays under ``prefix``/."""
    return {f"{prefix}/{name}": array for name, array in arrays.items()}
