"""The folder of one training run: a checkpoint to go on from after a crash, and a JSONL log.

A checkpoint is safetensors named by its own SHA-256 and a JSON file that names it and is replaced in one
step: a kill at any moment leaves the last whole one. A run holds its folder: no other writes to it meanwhile.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from isotherm.errors import TrainingError, brief
from isotherm.files import is_whole, locked, told
from isotherm.folders import RUN, check_folder, manifest_of, saving_locked
from isotherm.untrusted import ArraysFile, DamagedError, Each, Header, expect, read_json, same_names
from isotherm.version import __version__

FORMAT = 3
MANIFEST = RUN.manifest
LOG = "run.jsonl"

#: arrays that belong together, by name, of the types and shapes that they must have
Group: TypeAlias = Mapping[str, Tensor]
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

    def load(self, schema: Mapping[str, Any], groups: Iterable[Group]) -> Checkpoint | None:
        """The checkpoint, or None where there is none.

        schema: of the plain JSON that was saved with it.  groups: the first must be there, each of the
        others whole or not at all, and nothing else.
        Raises TrainingError where it is damaged, or of another fit.
        """
        manifest = self.path / MANIFEST
        if not manifest.is_file():
            return None
        try:
            return self._loaded(schema, groups)
        except (DamagedError, OSError, SafetensorError) as cause:
            if isinstance(cause, TrainingError):
                raise
            raise TrainingError(
                f"{manifest}: the checkpoint is damaged ({cause}); remove the folder to train from the start"
            ) from cause

    def _loaded(self, schema: Mapping[str, Any], groups: Iterable[Group]) -> Checkpoint | None:
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
        _check_headers(ArraysFile(file).headers, groups)
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


def _check_headers(headers: Mapping[str, Header], groups: Iterable[Group]) -> None:
    """That the arrays are those of the groups, in name, type and shape."""
    wanted: dict[str, Tensor] = {}
    for number, group in enumerate(groups):
        if not number or any(name in headers for name in group):
            wanted |= group
    same_names(headers, wanted, "its arrays")
    for name, like in wanted.items():
        header, shape = headers[name], tuple(like.shape)
        if (header.dtype, header.shape) != (_DTYPES[like.dtype], shape):
            raise DamagedError(
                f"{brief(name)} is {header.dtype} of shape {brief(header.shape)} and must be "
                f"{_DTYPES[like.dtype]} of shape {brief(shape)}"
            )
