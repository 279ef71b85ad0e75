"""Metadata kernels: positive semi-definite, exact in any form, silent about what is missing."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isotherm import Encoding, Items
from isotherm.errors import ItemsError
from isotherm.features.metadata_kernel import AMOUNT, MetadataKernel
from isotherm.state import restore, saved


def table(rng, n, missing=0.2):
    gone = rng.random((4, n)) < missing
    words = ["river", "robot", "garden", "winter", "detective", "ship"]
    columns = {
        "genres": [[] if g else list(rng.choice(list("abcd"), rng.integers(1, 4), False)) for g in gone[0]],
        "plot": [None if g else " ".join(rng.choice(words, rng.integers(1, 7))) for g in gone[1]],
        "year": [None if g else float(rng.integers(1950, 2020)) for g in gone[2]],
        "clip": [None if g else rng.standard_normal(3).tolist() for g in gone[3]],
    }
    columns["genres"][:2] = [list("abcd"), list("abcd")]
    columns["year"][:2], columns["clip"][:2] = [1950.0, 2019.0], [[1.0, 0.0, 0.0], [0.0, 1.0, 2.0]]
    columns["plot"][:2] = ["river robot", "river robot"]
    overrides = {"genres": pl.List(pl.String), "clip": pl.List(pl.Float32)}
    frame = pl.DataFrame({"item_id": np.arange(n), **columns}, schema_overrides=overrides)
    return Items.from_frame(frame, kinds={"plot": "text"})


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(4, 30))
def test_every_kernel_is_positive_semi_definite(seed, n):
    items = table(np.random.default_rng(seed), n)
    kernel = MetadataKernel.fitted(items)
    encoded = kernel.encode(items)
    for term in kernel.index(encoded).by_term(encoded):
        np.testing.assert_allclose(term, term.T, atol=1e-6)
        assert np.linalg.eigvalsh(term.astype(np.float64)).min() > -1e-5


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_items_beyond_the_range_of_the_compared_ones_keep_the_kernel_positive_semi_definite(seed):
    """Some items are compared with, others are new, of later years: the kernel of both is D·K·D."""
    rng = np.random.default_rng(seed)
    items = table(rng, 30)
    kernel = MetadataKernel.fitted(items)
    encoded = kernel.encode(items)
    years = np.nan_to_num(encoded.fields["year"].array, nan=0)
    known, new = np.flatnonzero(years < 0.6), np.flatnonzero(years >= 0.6)
    index = kernel.index(encoded.take(known))
    weights = np.ones(len(kernel.terms) + 1)
    mixed, queries = index.weighted(weights), encoded.take(new)
    across = mixed.rows(queries).astype(np.float64)
    among_known = mixed.rows(encoded.take(known)).astype(np.float64)
    explained = across @ np.linalg.solve(among_known + 1e-6 * np.eye(len(known)), across.T)
    assert (mixed.diagonal(queries) >= np.diag(explained) - 1e-3).all()
    year = index.by_term(queries)[kernel.terms.index("year")]
    assert (year <= np.maximum(1 - np.abs(years[new][:, None] - years[known]), 0) + 1e-6).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_weighted_kernel_is_the_weighted_sum_of_its_terms(seed):
    rng = np.random.default_rng(seed)
    items = table(rng, 20)
    kernel = MetadataKernel.fitted(items)
    encoded = kernel.encode(items)
    queries, index = encoded.take(np.arange(7)), kernel.index(encoded)
    weights = rng.random(len(kernel.terms) + 1)
    mixed = index.weighted(weights)
    literal = np.tensordot(weights[:-1], index.by_term(queries), 1) + weights[-1]
    np.testing.assert_allclose(mixed.rows(queries), literal, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mixed.diagonal(queries), literal[np.arange(7), np.arange(7)], rtol=1e-5)
    own = np.stack([np.diag(term) for term in index.by_term(encoded)])
    np.testing.assert_allclose(index.diagonal_by_term(), own, rtol=1e-5)


def test_shrunk_norms_by_hand():
    frame = pl.DataFrame({"item_id": [1, 2, 3], "tags": [["a", "b"], ["a", "b"], ["a"]]})
    kernel = MetadataKernel.fitted(Items.from_frame(frame), Encoding(min_count=1), shrinkage=0.5)
    encoded = kernel.encode(Items.from_frame(frame))
    similarity = kernel.index(encoded).by_term(encoded)[kernel.terms.index("tags")]
    # median squared norm 2, so δ = 1: 2/3 between the pairs, 1/√(3·2) between pair and single, 1/2 for it
    np.testing.assert_allclose(similarity[0], [2 / 3, 2 / 3, 1 / np.sqrt(6)], rtol=1e-6)
    assert similarity[2, 2] == pytest.approx(0.5)


def test_missing_values_are_alike_nothing_and_their_amount_says_so():
    rng = np.random.default_rng(3)
    items = table(rng, 30, missing=0.4)
    kernel = MetadataKernel.fitted(items)
    encoded = kernel.encode(items)
    terms = dict(zip(kernel.terms, kernel.index(encoded).by_term(encoded), strict=True))
    for name in ("genres", "plot", "year", "clip"):
        column = items.column(name)
        gone = np.flatnonzero(
            (column.list.len().fill_null(0) == 0 if column.dtype == pl.List else column.is_null()).to_numpy()
        )
        assert len(gone)
        assert not terms[name][gone].any()
        amount = terms[AMOUNT + name]
        assert (amount[np.ix_(gone, gone)] == 1).all()


def test_given_vectors_are_whitened():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((400, 3)) @ np.diag([10.0, 1.0, 1.0]) + 5
    frame = pl.DataFrame({"item_id": np.arange(400), "clip": vectors.tolist()})
    kernel = MetadataKernel.fitted(Items.from_frame(frame))
    scaling = kernel.scalings["clip"]
    whitened = (vectors - scaling.mean_) @ scaling.transform_
    np.testing.assert_allclose(whitened.mean(axis=0), 0, atol=1e-3)
    spread = whitened.std(axis=0)
    assert spread.max() / spread.min() < 3.5  # 10 before; directions under the noise floor are not blown up


def test_saved_state_encodes_alike():
    items = table(np.random.default_rng(5), 25)
    kernel = MetadataKernel.fitted(items)
    again = MetadataKernel.empty()
    restore(again, *saved(kernel, {}), {})
    assert again.terms == kernel.terms
    first = kernel.encode(items).fields
    for name, vectors in again.encode(items).fields.items():
        assert vectors.form == first[name].form == kernel.forms[name]
        np.testing.assert_array_equal(vectors.stored, first[name].stored)


def test_absent_field_is_named():
    items = table(np.random.default_rng(1), 10)
    kernel = MetadataKernel.fitted(items)
    with pytest.raises(ItemsError, match="field 'year' is missing"):
        kernel.encode(items.only(["genres", "plot", "clip"]))
