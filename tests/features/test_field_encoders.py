"""The fitted encoders of an item table: columns without a value, fields of another kind, damaged states."""

import polars as pl
import pytest

from isotherm import Items
from isotherm.errors import ItemsError
from isotherm.features.encoders import TagEncoder
from isotherm.features.field_encoders import FieldEncoders
from isotherm.features.field_vectors import Numbers
from isotherm.untrusted import DamagedError


@pytest.fixture
def encoders(items):
    return FieldEncoders.fitted(items)


def test_every_kind_encodes_a_column_without_any_value(encoders, items):
    empty = Items.from_frame(
        pl.DataFrame({"item_id": ["n"], **{name: [None] for name in encoders.kinds}}), kinds={"plot": "text"}
    )
    encoded = encoders.encode(empty)
    assert encoded.forms == encoders.forms == encoders.encode(items).forms
    assert not any(vectors.known.any() for vectors in encoded.fields.values())


def test_tags_too():
    tags = pl.Series("tags", [[{"value": "a", "weight": 2.0}]] * 2)
    vectors = TagEncoder().fit(tags).transform(TagEncoder.empty_column("tags", 3))
    assert vectors.array.shape == (3, 1)
    assert not vectors.known.any()


def test_fields_of_contents_are_told_from_those_that_file_an_item(encoders):
    assert encoders.content_fields == ["plot", "clip"]
    assert encoders.forms["year"].type is Numbers


def test_a_field_of_another_kind_is_named(encoders, item_frame):
    other = item_frame.with_columns(year=pl.lit("long ago"))
    with pytest.raises(ItemsError, match=r"field 'year' was number .*; declare its kind: year=number"):
        encoders.encode(Items.from_frame(other, kinds={"plot": "text"}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sources": {}}, "schema, encoders and sources name other fields"),
        ({"sources": {"genres": "genres", "plot": "genres"}}, "name other fields"),
    ],
)
def test_a_damaged_state_is_refused(encoders, change, words):
    with pytest.raises(DamagedError, match=words):
        FieldEncoders.from_state(encoders.state() | change)


def test_a_second_encoding_needs_a_text_field(encoders):
    state = encoders.state()
    state["encoders"]["meaning of year"] = {"model": "m", "fingerprint": "0" * 64, "length": 3}
    state["sources"]["meaning of year"] = "year"
    with pytest.raises(DamagedError, match="there is no text field for 'meaning of year'"):
        FieldEncoders.from_state(state)
