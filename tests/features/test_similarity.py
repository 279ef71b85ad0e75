"""Similarities against the literal formula, and the encoders on cases worked by hand."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from isotherm import Items
from isotherm.errors import ItemsError, ParameterError
from isotherm.features.encoders import ENCODERS, CategoryEncoder, NumberEncoder, TextEncoder, VectorEncoder
from isotherm.features.metadata import EncodedItems, MetadataSimilarity
from isotherm.features.similarity import Closeness, smoothed_cosine
from isotherm.state import restore, saved
from tests.reference import marec as reference


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 30), st.integers(1, 12), st.sampled_from([0.0, 1.0, 20.0, 100.0]))
def test_smoothed_cosine_equals_eq_3(seed, n_items, n_features, shrinkage):
    rng = np.random.default_rng(seed)
    z = (rng.random((n_items, n_features)) < 0.4) * rng.uniform(0.5, 3, (n_items, n_features))
    expected = reference.eq3_smoothed_cosine(z, shrinkage)
    z = z.astype(np.float32)
    np.testing.assert_allclose(smoothed_cosine(csr_array(z), shrinkage), expected, atol=1e-5)
    np.testing.assert_allclose(smoothed_cosine(z, shrinkage), expected, atol=1e-5)


def test_similarity_refuses_what_it_cannot_use():
    with pytest.raises(ValueError, match="shrinkage must be >= 0, not -1"):
        smoothed_cosine(np.eye(2, dtype=np.float32), -1)
    with pytest.raises(ValueError, match="not finite"):
        smoothed_cosine(np.array([[np.nan]], dtype=np.float32), 1)


def test_numbers_are_as_alike_as_they_are_close():
    encoder = NumberEncoder().fit(pl.Series("year", [1990.0, None, 2010.0]))
    vectors = encoder.transform(pl.Series("year", [1990.0, None, 2000.0, 2050.0]))
    np.testing.assert_allclose(
        Closeness(vectors).to(vectors),
        [[1, 0, 0.5, 0], [0, 0, 0, 0], [0.5, 0, 1, 0], [0, 0, 0, 1]],
        atol=1e-6,
    )


def test_number_of_one_value_only_is_no_division_by_zero():
    vectors = NumberEncoder().fit(pl.Series("x", [7.0, 7.0])).transform(pl.Series("x", [7.0, 7.0, 8.0]))
    np.testing.assert_array_equal(Closeness(vectors).to(vectors)[0], [1, 1, 0])


def test_categories_seen_once_are_left_out_and_unknown_ones_ignored():
    column = pl.Series("genre", [["a", "b", "a"], ["a"], [], None, ["b", "c"]])
    encoder = CategoryEncoder(min_count=2).fit(column)
    assert encoder.values_ == ["a", "b"]
    new = pl.Series("genre", [["c", "z"], ["b", "b", "a"]])
    np.testing.assert_array_equal(encoder.transform(new).toarray(), [[0, 0], [1, 1]])


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
    np.testing.assert_allclose(encoder.transform(column).toarray(), expected, rtol=1e-6)


def test_text_keeps_the_most_frequent_words():
    column = pl.Series("plot", ["war war peace", "peace war", "sea"])
    assert TextEncoder(max_words=2).fit(column).words_ == ["peace", "war"]
    assert TextEncoder().fit(pl.Series("plot", ["the of and"])).transform(column).shape == (3, 0)


def test_vector_of_another_length_is_refused_at_transform():
    encoder = VectorEncoder().fit(pl.Series("clip", [[1.0, 2.0], None]))
    np.testing.assert_array_equal(encoder.transform(pl.Series("clip", [None, [3.0, 4.0]])), [[0, 0], [3, 4]])
    with pytest.raises(ParameterError, match="field 'clip', row 1: a vector of length 1 where 2 was learned"):
        encoder.transform(pl.Series("clip", [[1.0]]))


def test_fitted_encoders_survive_their_plain_state(items):
    similarity = MetadataSimilarity().fit(items)
    again = MetadataSimilarity.from_state(similarity.state())
    one, other = similarity.encode(items), again.encode(items)
    for name, kind in similarity.kinds_.items():
        assert type(again.encoders_[name]) is ENCODERS[kind]
        a, b = one.vectors[name], other.vectors[name]
        a, b = (v.toarray() if isinstance(v, csr_array) else v for v in (a, b))
        np.testing.assert_array_equal(a, b)
    restored = EncodedItems.empty(similarity.encoded)
    restore(restored, *saved(one, {}), {})
    assert len(restored) == len(items)


def test_terms_are_every_field_and_every_pair(items):
    first = MetadataSimilarity(second_order=False).fit(items)
    both = MetadataSimilarity().fit(items)
    assert first.terms == [("genres",), ("plot",), ("year",), ("clip",)]
    assert both.terms[4:] == [
        ("genres", "plot"), ("genres", "year"), ("genres", "clip"),
        ("plot", "year"), ("plot", "clip"), ("year", "clip"),
    ]  # fmt: skip
    index = both.index(both.encode(items))
    fields = index.by_field(both.encode(items), np.arange(len(items)))
    terms = index.by_term(fields)
    np.testing.assert_allclose(terms[4], fields[0] * fields[1])
    importance = np.arange(1.0, 11.0)
    np.testing.assert_allclose(
        index.mixed(fields, importance), np.tensordot(importance, terms, axes=1), rtol=1e-4, atol=1e-5
    )
    assert (np.diagonal(fields, axis1=1, axis2=2) == 0).all()


def test_table_without_any_metadata_is_refused():
    empty = Items.from_frame(
        pl.DataFrame({"item_id": [1, 2], "plot": [None, None]}, schema_overrides={"plot": pl.String})
    )
    with pytest.raises(ItemsError, match="no field with a value"):
        MetadataSimilarity().fit(empty)


def test_hierarchy_counts_its_ancestors():
    column = pl.Series("genre", [["film > crime > noir"], ["film > crime"], ["film > war"], []])
    encoder = CategoryEncoder(min_count=2).fit(column)
    assert encoder.values_ == ["film", "film > crime"]
    assert encoder.transform(column).toarray().tolist() == [[1, 1], [1, 1], [1, 0], [0, 0]]


def test_tags_keep_their_weights():
    items = Items.from_frame(
        pl.DataFrame(
            {"item_id": [1, 2, 3], "tags": ["space:0.9|robots", "robots:0.4|space:0.1|odd:2", None]}
        ),
        kinds={"tags": "tags"},
    )
    encoder = ENCODERS["tags"]().fit(items.column("tags"))
    assert encoder.values_ == ["robots", "space"]
    np.testing.assert_allclose(
        encoder.transform(items.column("tags")).toarray(), [[1, 0.9], [0.4, 0.1], [0, 0]], rtol=1e-6
    )
    pairs = pl.DataFrame({"item_id": [1, 2], "tags": [[{"tag": "a", "w": 2.0}], [{"tag": "a", "w": 0.5}]]})
    items = Items.from_frame(pairs)
    assert items.kinds == {"tags": "tags"}
    assert ENCODERS["tags"]().fit(items.column("tags")).transform(
        items.column("tags")
    ).toarray().tolist() == [[2], [0.5]]


@pytest.mark.parametrize("weight", ["-1", "nan", "much", ""])
def test_bad_tag_weight_is_named(weight):
    frame = pl.DataFrame({"item_id": ["x", "y"], "tags": ["a:1", f"b|a:{weight}"]})
    with pytest.raises(
        ItemsError, match=rf"column 'tags', row 2 \(item 'y'\): tag 'a' has the weight '{weight}'"
    ):
        Items.from_frame(frame, kinds={"tags": "tags"})
