"""Diversity and calibration of lists: by hand, and against the literal loops."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from isotherm import Items
from isotherm.errors import ItemsError
from isotherm.features.profiles import ItemProfiles
from isotherm.ranking.diversity import calibration, intra_list_diversity
from tests.reference import diversity as reference

#: a, b, a+b, nothing
ITEMS = Items.from_frame(
    pl.DataFrame({"item_id": [0, 1, 2, 3], "genres": [["a"], ["b"], ["a", "b"], []]}),
)


def test_diversity_by_hand():
    """cos(a, b) = 0, cos(a, ab) = cos(b, ab) = 1/√2."""
    directions = ItemProfiles.of(ITEMS).directions(ITEMS)
    lists = np.array([[0, 1, 2], [0, 2, -1], [0, 3, 2], [0, 3, -1], [-1, -1, -1]], dtype=np.int32)
    near = 1 - 1 / math.sqrt(2)
    found = intra_list_diversity(lists, directions)
    # the third list is measured by its items with metadata; the last two have no pair of these
    np.testing.assert_allclose(found, [(1 + 2 * near) / 3, near, near, np.nan, np.nan], atol=1e-12)


def test_calibration_by_hand():
    """A history of three quarters a, one quarter b, and lists of a alone, of both, and of b alone."""
    shares = ItemProfiles.of(ITEMS).shares(ITEMS)
    history = np.array([1, 0, 1, 1], dtype=np.float32)  # a, ab and one without metadata: p = (3/4, 1/4)
    lists = np.array([[0, -1], [0, 2], [1, 3]], dtype=np.int32)
    kl, js = calibration(lists, csr_array(np.tile(history, (3, 1))), shares)
    all_a = 0.75 * math.log(0.75 / (0.99 + 0.01 * 0.75)) + 0.25 * math.log(100)
    all_b = 0.75 * math.log(100) + 0.25 * math.log(0.25 / (0.99 + 0.01 * 0.25))
    np.testing.assert_allclose(kl, [all_a, 0, all_b], atol=1e-12)
    js_a = (0.75 * math.log2(0.75 / 0.875) + 0.25 * math.log2(0.25 / 0.125) + math.log2(1 / 0.875)) / 2
    assert js[:2] == pytest.approx([js_a, 0])
    assert kl[0] < kl[2]
    assert js[0] < js[2] < 1


def test_weights_of_clicks_count_and_what_cannot_be_measured_is_not_a_number():
    shares = ItemProfiles.of(ITEMS).shares(ITEMS)
    weighted = csr_array(np.array([[3, 1, 0, 0], [0, 0, 0, 5], [1, 0, 0, 0]], dtype=np.float32))
    kl, js = calibration(np.array([[0, 0], [0, 1], [3, -1]], dtype=np.int32), weighted, shares)
    assert kl[0] == pytest.approx(reference.eq6_kl([0.75, 0.25], [1, 0]))
    assert np.isnan(kl[1:]).all()
    assert np.isnan(js[1:]).all()


def test_each_field_is_worth_the_same():
    """One genre in common out of one, no tag in common out of many: half alike."""
    items = Items.from_frame(
        pl.DataFrame(
            {
                "item_id": [0, 1],
                "genre": [["a"], ["a"]],
                "tags": ["x:0.9|y:0.4|z:0.1", "u:1|v:3|w:2"],
            }
        ),
        kinds={"tags": "tags"},
    )
    profiles = ItemProfiles.of(items)
    assert profiles.kinds == {"genre": "categories", "tags": "tags"}
    assert intra_list_diversity(np.array([[0, 1]], np.int32), profiles.directions(items)) == [
        pytest.approx(0.5)
    ]
    shares = profiles.shares(items).toarray()
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares[0, 0] == pytest.approx(0.5)
    again = ItemProfiles.from_state(profiles.state())
    assert (again.shares(items) != profiles.shares(items)).nnz == 0


def test_fields_are_named_and_checked():
    items = Items.from_frame(pl.DataFrame({"item_id": [0], "genre": [["a"]], "year": [1999.0]}))
    assert ItemProfiles.of(items).fields == ["genre"]
    with pytest.raises(ItemsError, match="there is no field 'genres'; the fields are genre, year"):
        ItemProfiles.of(items, ["genres"])
    with pytest.raises(ItemsError, match=r"field 'year' is of kind number.*--kind year=categories"):
        ItemProfiles.of(items, ["year"])
    bare = Items.from_frame(pl.DataFrame({"item_id": [0], "year": [1999.0]}))
    assert ItemProfiles.of(bare).directions(bare).shape == (1, 0)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_fast_measures_equal_the_literal_ones(seed):
    rng = np.random.default_rng(seed)
    n_users, n_items, n_values, k = 5, 12, 4, 4
    raw = rng.random((n_items, n_values)) * (rng.random((n_items, n_values)) < 0.4)
    lengths, sums = np.linalg.norm(raw, axis=1, keepdims=True), raw.sum(axis=1, keepdims=True)
    directions, shares = (np.divide(raw, n, out=np.zeros_like(raw), where=n > 0) for n in (lengths, sums))
    lists = np.array([rng.permutation(n_items)[:k] for _ in range(n_users)], dtype=np.int32)
    lists[rng.random(lists.shape) < 0.2] = -1
    histories = rng.integers(0, 3, (n_users, n_items)) * (rng.random((n_users, n_items)) < 0.3)
    found = intra_list_diversity(lists, csr_array(directions))
    kl, js = calibration(lists, csr_array(histories.astype(np.float32)), csr_array(shares))
    for u in range(n_users):
        distance = reference.intra_list_distance(lists[u], raw)
        assert (np.isnan(found[u]) and distance is None) or found[u] == pytest.approx(distance, abs=1e-9)
        p = reference.distribution({i: w for i, w in enumerate(histories[u]) if w}, shares)
        q = reference.distribution({i: 1 for i in lists[u] if i >= 0}, shares)
        if p is None or q is None:
            assert np.isnan(kl[u])
            assert np.isnan(js[u])
        else:
            assert kl[u] == pytest.approx(reference.eq6_kl(p, q), abs=1e-9)
            assert js[u] == pytest.approx(reference.jensen_shannon(p, q), abs=1e-9)


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    shares = ItemProfiles.of(ITEMS).shares(ITEMS)
    lists = rng.integers(-1, 4, (50, 3)).astype(np.int32)
    histories = csr_array((rng.random((50, 4)) < 0.5).astype(np.float32))
    whole = calibration(lists, histories, shares)
    monkeypatch.setattr("isotherm.ranking.diversity._DENSE_BYTES", 16 * 7)
    np.testing.assert_array_equal(np.array(calibration(lists, histories, shares)), np.array(whole))
