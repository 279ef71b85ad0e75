"""A token file holds one token, for its owner's eyes."""

import pytest

from isotherm.errors import ParameterError
from isotherm.serving.workers.tokens import read_token


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "token"
    file.touch(mode=0o600)
    return file


def test_the_token_is_its_only_line(file, caplog):
    caplog.set_level("INFO")
    file.write_text("s3cret-Token~+/=\n\n")
    assert read_token(file) == "s3cret-Token~+/="
    assert caplog.text == ""


@pytest.mark.parametrize(
    "content", [b"", b" \n\n", b"two words", b"a\nb", "é".encode(), b"\xff", b"a\0b", b"x" * 5000]
)
def test_what_is_no_token(file, content):
    file.write_bytes(content)
    with pytest.raises(ParameterError, match=r"--token-file .*token: (is empty|holds no token).*") as told:
        read_token(file)
    assert "two words" not in str(told.value)


def test_a_file_that_cannot_be_read(tmp_path):
    for path in (tmp_path / "none", tmp_path, tmp_path / "a\0b"):
        with pytest.raises(ParameterError, match="cannot be read"):
            read_token(path)


def test_a_file_that_others_can_read_is_told(file, caplog):
    caplog.set_level("INFO")
    file.write_text("token")
    file.chmod(0o644)
    assert read_token(file) == "token"
    assert "others can read it" in caplog.text
