"""The cache of encoded vectors: few keys, many keys, several files, a damaged one."""

import numpy as np
import pytest

from isotherm.features.encoders.vector_cache import KEY_BYTES, VectorCache


def keys(first, last):
    return [n.to_bytes(KEY_BYTES, "big") for n in range(first, last)]


@pytest.fixture
def cache(tmp_path):
    """Two files: vectors 0 … 39 and 40 … 49, each filled with its number."""
    made = VectorCache(tmp_path / "cache")
    for first, last in ((0, 40), (40, 50)):
        vectors = np.repeat(np.arange(first, last, dtype=np.float32)[:, None], 3, axis=1)
        made.keep(keys(first, last), vectors)
    return made


@pytest.mark.parametrize("wanted", [(3, 4), (38, 42), (0, 50), (0, 0)])
def test_wanted_keys_are_found_wherever_they_lie(cache, wanted):
    found = cache.lookup(keys(*wanted) + keys(90, 92))
    assert sorted(found) == keys(*wanted)
    for number, key in zip(range(*wanted), keys(*wanted), strict=True):
        np.testing.assert_array_equal(found[key], np.full(3, number, dtype=np.float32))


def test_damaged_file_is_left_out_and_said_so(cache, caplog):
    smaller = min(cache.folder.iterdir(), key=lambda file: file.stat().st_size)
    smaller.write_bytes(smaller.read_bytes()[:-4] + b"oops")
    assert sorted(cache.lookup(keys(0, 50))) == keys(0, 40)
    assert "is damaged: what it holds is encoded again" in caplog.text


def test_a_folder_that_cannot_be_written_only_warns(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    VectorCache(tmp_path / "file").keep(keys(0, 1), np.zeros((1, 3), np.float32))
    assert "cannot be written" in caplog.text
