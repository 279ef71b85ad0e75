"""Texts as bags of words."""

import numpy as np
import polars as pl
import pytest

from isotherm.features.encoders.text import TextEncoder
from isotherm.untrusted import DamagedError


@pytest.mark.parametrize(
    ("weighting", "expected"),
    [
        ("count", [[2, 1], [0, 1], [0, 0]]),
        ("binary", [[1, 1], [0, 1], [0, 0]]),
        ("tfidf", [[np.log(3 / 2) + 1, 1], [0, 1], [0, 0]]),
    ],
)
def test_text_is_a_bag_of_words_without_stop_words(weighting, expected):
    column = pl.Series("plot", ["The river, the RIVER and a ship", "ship of it", None])
    encoder = TextEncoder(weighting=weighting).fit(column)
    assert encoder.words_ == ["river", "ship"]
    np.testing.assert_allclose(encoder.transform(column).array.toarray(), expected, rtol=1e-6)


def test_text_keeps_the_most_frequent_words():
    column = pl.Series("plot", ["war war peace", "peace war", "sea"])
    assert TextEncoder(max_words=2).fit(column).words_ == ["peace", "war"]
    assert TextEncoder().fit(pl.Series("plot", ["the of and"])).transform(column).array.shape == (3, 0)


def test_as_many_idf_as_words_are_needed():
    encoder = TextEncoder(weighting="tfidf").fit(pl.Series("plot", ["river ship", "ship"]))
    assert TextEncoder.from_state(encoder.state(), "plot").idf_ == encoder.idf_
    with pytest.raises(DamagedError, match="plot: as many idf as words are needed"):
        TextEncoder.from_state(encoder.state() | {"idf": [1.0]}, "plot")
