"""Encoders that are large models in a local folder: nothing is fetched, and nothing is encoded twice ever.

Vectors are cached by the content of the model's folder and of what is encoded, so that a second fit, another
data set with the same contents, or a new item with a known one encodes nothing.
"""

import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from isotherm.errors import ParameterError
from isotherm.features.encoders.base import Encoder
from isotherm.features.encoders.vector_cache import VectorCache
from isotherm.features.field_vectors import DenseVectors, FieldForm
from isotherm.files import DIGITS, cache_folder, sha256
from isotherm.progress import stage
from isotherm.types import Float32, Int64
from isotherm.untrusted import Digest, Whole

_BATCH = 256


class LocalModelEncoder(Encoder):
    """model: the folder.  fingerprint: of its content, checked when it is loaded again.

    fit raises ParameterError where there is no such folder or its content changed since, and
    MissingPackageError without the package that runs it.
    """

    setting: ClassVar[str]  #: the setting that names the folder
    cache_name: ClassVar[str]  #: of its folder in the cache
    contents: ClassVar[str]  #: what is encoded, for the progress bar
    column_type: ClassVar[Any] = pl.String
    schema: ClassVar[Any] = {"model": str, "fingerprint": Digest(), "length": Whole(0, 2**31)}

    def __init__(self, model: str, fingerprint: str = "", length: int = 0) -> None:
        self.model = str(model)
        self.fingerprint_ = fingerprint
        self.length_ = length

    def fit(self, column: pl.Series) -> Self:
        """Remember which model this is, and its vectors' length."""
        self.fingerprint_ = self._fingerprint
        values = column.drop_nulls().unique(maintain_order=True)
        self.length_ = self._vectors(self._keyed(values)).shape[1]
        return self

    def transform(self, column: pl.Series) -> DenseVectors:
        """(n_items, length), zeros where there is nothing."""
        vectors = np.zeros((len(column), self.length_), dtype=np.float32)
        given = np.flatnonzero(column.is_not_null().to_numpy())
        if len(given):
            vectors[given] = self._vectors(self._keyed(column.drop_nulls()))
        return DenseVectors(vectors)

    def state(self) -> dict[str, Any]:
        """Where the model lies, and what it was."""
        return {"model": self.model, "fingerprint": self.fingerprint_, "length": self.length_}

    @property
    def form(self) -> FieldForm:
        """The model's vectors."""
        return FieldForm(DenseVectors, self.length_)

    def _keyed(self, column: pl.Series) -> list[tuple[bytes, str]]:
        """Key (by content) and value of each."""
        return [(self._key(value, column.name), value) for value in column.to_list()]

    def _vectors(self, keyed: Sequence[tuple[bytes, str]]) -> Float32:
        """(n, length); what the cache does not hold is encoded and added to it."""
        cache = VectorCache(cache_folder() / self.cache_name / self._fingerprint[:DIGITS])
        known = cache.lookup([key for key, _ in keyed])
        missing = {key: value for key, value in keyed if key not in known}
        if missing:
            vectors = self._encode(list(missing.values()))
            cache.keep(list(missing), vectors)
            known |= dict(zip(missing, vectors, strict=True))
        return (
            np.stack([known[key] for key, _ in keyed]) if keyed else np.zeros((0, self.length_), np.float32)
        )

    def _encode(self, values: list[str]) -> Float32:
        order = self._order(values)
        batches = []
        with stage(f"encode {self.contents}", len(values), self.contents) as advance:
            for first in range(0, len(values), _BATCH):
                batch = [values[i] for i in order[first : first + _BATCH]]
                batches.append(self._run(batch))
                advance(len(batch))
        vectors = np.empty((len(values), batches[0].shape[1]), dtype=np.float32)
        vectors[order] = np.concatenate(batches)
        return vectors

    def _order(self, values: list[str]) -> Int64:
        """In which order they are best encoded."""
        return np.arange(len(values))

    @abstractmethod
    def _key(self, value: str, field: str) -> bytes:
        """A digest of the content."""

    @abstractmethod
    def _run(self, batch: list[str]) -> Float32:
        """(n, length) of one batch."""

    def _packaged(self) -> Path | None:
        """The folder of a model that is meant by its name."""
        return None

    @abstractmethod
    def _cure(self) -> str:
        """What to give where there is no such folder."""

    @cached_property
    def _folder(self) -> Path:
        folder = Path(self.model)
        if folder.is_dir():
            return folder
        packaged = self._packaged()
        if packaged is None:
            raise ParameterError(f"{self.setting} {self.model}: there is no such folder; {self._cure()}")
        return packaged

    @cached_property
    def _fingerprint(self) -> str:
        folder = self._folder
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        digests = "".join(f"{file.relative_to(folder)} {sha256(file)}\n" for file in files)
        fingerprint = hashlib.sha256(digests.encode()).hexdigest()
        if self.fingerprint_ and fingerprint != self.fingerprint_:
            raise ParameterError(
                f"{self.setting} {self.model}: its content is not that of the fitted model; "
                "put the old one back or refit"
            )
        return fingerprint
