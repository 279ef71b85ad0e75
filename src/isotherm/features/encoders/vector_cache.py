"""Vectors kept on disk by the content of what they encode and of the model that made them."""

import logging
from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from isotherm.files import is_whole, named_by_content
from isotherm.types import Array, Float32

_log = logging.getLogger(__name__)
KEY_BYTES = 16
_FEW = 16  # keys that are read from a file one by one


class VectorCache:
    """A folder of files of keys and vectors; each is checked once per process, only hits are read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def lookup(self, keys: list[bytes]) -> dict[bytes, Float32]:
        """The vectors of those keys that it holds. A damaged file is left out, and the log says so."""
        vectors_by_key: dict[bytes, Float32] = {}
        for file in sorted(self.folder.glob("vectors-*.safetensors")):
            status = file.stat()
            rows = _rows_by_key(file, status.st_mtime_ns, status.st_size)
            hits = [(key, rows[key]) for key in keys if key in rows and key not in vectors_by_key]
            if not hits:
                continue
            with safe_open(file, framework="numpy") as stored:
                if len(hits) <= _FEW:
                    vectors = stored.get_slice("vectors")
                    vectors_by_key |= {key: vectors[row : row + 1][0] for key, row in hits}
                else:
                    vectors = stored.get_tensor("vectors")
                    vectors_by_key |= {key: vectors[row] for key, row in hits}
        return vectors_by_key

    def keep(self, keys: list[bytes], vectors: Float32) -> None:
        """Add vectors (n, length) under n keys; where that fails they are encoded again next time."""
        digests = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, KEY_BYTES)
        arrays: dict[str, Array] = {"keys": digests, "vectors": vectors}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            named_by_content(self.folder, "vectors", ".safetensors", lambda file: save_file(arrays, file))
        except OSError as cause:
            _log.warning("%s cannot be written (%s): it is encoded again next time", self.folder, cause)


@lru_cache(maxsize=256)
def _rows_by_key(file: Path, modified: int, size: int) -> dict[bytes, int]:
    """Key -> row of one file as it was written at that moment; none of a damaged one."""
    if not is_whole(file):
        _log.warning("%s is damaged: what it holds is encoded again", file)
        return {}
    with safe_open(file, framework="numpy") as stored:
        keys = stored.get_tensor("keys")
    return {bytes(key): row for row, key in enumerate(keys)}
