"""The picture of the page in the README is one, and small."""

import struct
from pathlib import Path

PICTURE = Path(__file__).parents[3] / "docs" / "page.png"


def test_the_picture_is_as_wide_as_a_screen_and_small():
    content = PICTURE.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert struct.unpack(">I", content[16:20]) == (1280,)
    assert len(content) < 200_000
