"""The folder of one training run: a checkpoint to go on from after a crash, and a JSONL log.

A checkpoint is safetensors named by its own SHA-256 and a JSON file that names it and is replaced in one
step: a kill at any moment leaves the last whole one.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from isotherm.errors import TrainingError
from isotherm.files import is_whole
from isotherm.folders import FolderKind, manifest_of, saving

MANIFEST = "checkpoint.json"
LOG = "run.jsonl"
FOLDER = FolderKind(
    what="training run",
    manifest=MANIFEST,
    marks={"fingerprint": str, "files": dict},
    error=TrainingError,
    roles=("checkpoint",),
)


class RunFolder:
    """Where a run keeps its checkpoint and its log."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        with saving(self.path, FOLDER) as folder:
            if manifest_of(self.path, FOLDER) is None:  # from now on it is known as a run's
                folder.commit({"fingerprint": "", "files": {}})

    def log(self, event: str, **facts: Any) -> None:
        """Append one line: time, event, facts."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, **facts})
        with open(self.path / LOG, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def save(self, arrays: dict[str, Tensor], document: dict[str, Any]) -> None:
        """Replace the checkpoint, whole or not at all."""
        whole = {name: array.detach().cpu().contiguous() for name, array in arrays.items()}
        with saving(self.path, FOLDER) as folder:
            file = folder.by_content("checkpoint", ".safetensors", lambda file: save_file(whole, file))
            folder.commit({**document, "files": {"checkpoint": file}})

    def load(self, fingerprint: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The checkpoint, or None where there is none.

        Raises TrainingError where it is damaged, or of another fit.
        """
        manifest = self.path / MANIFEST
        if not manifest.is_file():
            return None
        try:
            document = json.loads(manifest.read_text(encoding="utf-8"))
            if not document["files"]:
                return None
            file = self.path / document["files"]["checkpoint"]
            if not is_whole(file):
                raise ValueError("its content changed")
            arrays = load_file(file)
        except (KeyError, ValueError, OSError, SafetensorError) as cause:
            raise TrainingError(
                f"{manifest}: the checkpoint is damaged ({cause}); remove the folder to train from the start"
            ) from cause
        if document["fingerprint"] != fingerprint:
            raise TrainingError(
                f"{self.path}: holds a checkpoint of a fit with other settings, clicks, seed, device or "
                "number of processes; name another folder for this run, or remove that one"
            )
        return arrays, document


def with_prefix(prefix: str, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    """The arrays under ``prefix``/."""
    return {f"{prefix}/{name}": array for name, array in arrays.items()}
