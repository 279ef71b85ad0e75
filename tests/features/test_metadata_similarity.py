"""All similarities of an item table: its encoders, and the terms of eq. 5."""

import numpy as np
import polars as pl
import pytest

from isotherm import Items
from isotherm.errors import ItemsError, ParameterError
from isotherm.features.encoded_items import EncodedItems
from isotherm.features.encoders import ENCODERS
from isotherm.features.metadata_similarity import MetadataSimilarity
from isotherm.state import restore, saved


def test_fitted_encoders_survive_their_plain_state(items):
    similarity = MetadataSimilarity.fitted(items)
    again = MetadataSimilarity.from_state(similarity.state())
    one, other = similarity.encode(items), again.encode(items)
    for name, kind in similarity.kinds.items():
        assert type(again.encoders.fields[name].encoder) is ENCODERS[kind]
        a, b = one.fields[name], other.fields[name]
        assert a.form == b.form == similarity.forms[name]
        np.testing.assert_array_equal(a.stored, b.stored)
    restored = EncodedItems.empty(similarity.forms)
    restore(restored, *saved(one, {}), {})
    assert len(restored) == len(items)


def test_terms_are_every_field_and_every_pair(items):
    first = MetadataSimilarity.fitted(items, second_order=False)
    both = MetadataSimilarity.fitted(items)
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
        MetadataSimilarity.fitted(empty)


def test_negative_shrinkage_is_refused(items):
    with pytest.raises(ParameterError, match="shrinkage must be >= 0, not -1"):
        MetadataSimilarity.fitted(items, shrinkage=-1)
