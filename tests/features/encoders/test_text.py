"""Texts as bags of words."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from sklearn.feature_extraction.text import CountVectorizer

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


def test_texts_are_read_once_and_as_scikit_learn_reads_them():
    texts = [
        "Éclair, éclair! x snake_case 2001",
        None,
        "ÉCLAIR don't стол-стол a1 ²³ ab",
        "",
        "İsta na\u0308h",
    ]
    column = pl.Series("plot", texts)
    encoder = TextEncoder()
    counts = encoder.fit_transform(column).array
    vectorizer = CountVectorizer(stop_words="english").fit(column.drop_nulls().to_list())
    assert encoder.words_ == sorted(vectorizer.vocabulary_)
    expected = vectorizer.transform([text or "" for text in texts])
    np.testing.assert_array_equal(counts.toarray(), expected.toarray())
    np.testing.assert_array_equal(encoder.transform(column).array.toarray(), expected.toarray())
    again = TextEncoder(weighting="tfidf")
    fitted = again.fit_transform(column).array.toarray()
    np.testing.assert_array_equal(fitted, again.transform(column).array.toarray())


def test_of_equally_frequent_words_the_first_of_the_alphabet_are_kept():
    column = pl.Series("plot", ["sea", "war", "peace", "war"])
    assert TextEncoder(max_words=2).fit(column).words_ == ["peace", "war"]


def test_no_fit_of_texts_waits_for_scikit_learn():
    code = (
        "import polars as pl, sys; from isotherm.features.encoders.text import TextEncoder; "
        "TextEncoder().fit(pl.Series(['a river', 'the river'])); print('sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
