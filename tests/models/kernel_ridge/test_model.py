"""Kernel ridge as a model: literal columns, explanations, certainty, new items."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

import isotherm
from isotherm import EASE, Interactions, Items, KernelRidge
from isotherm.errors import ItemsError, ParameterError
from isotherm.features.metadata_terms import BASE_LEVEL
from isotherm.models.kernel_ridge.training_data import TrainingData
from isotherm.models.scorer import IMPORTANCE_USERS, evenly
from tests.conftest import random_clicks
from tests.features.test_metadata_kernel import table
from tests.reference import kernel_ridge as reference

N_ITEMS, N_COLD = 60, 8


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(11)
    items = table(rng, N_ITEMS)
    return Interactions.from_csr(csr_array(random_clicks(rng, 150, N_ITEMS, 0.2, N_COLD))), items


@pytest.fixture(scope="module")
def model(data):
    return KernelRidge(backbone=EASE(l2=20.0), steps=5).fit(*data)


def dense_kernel(model, items, weights, training):
    """K of all items with the training items, and k_jj: numbers beyond those of the latter fade."""
    encoded = model.kernel_.encode(items)
    index = model.kernel_.index(encoded.take(training))
    terms = index.by_term(encoded).astype(np.float64)
    rows = np.tensordot(weights[:-1], terms, 1) + weights[-1]
    return rows, index.weighted(weights).diagonal(encoded)


def test_repr_ends_with_what_was_learned_of_settings_left_open(data, model):
    assert KernelRidge().learned_settings() == {}
    share, ridge = model.new_item_share_, model.scales_.ridge
    assert model.learned_settings() == {
        "scales_.ridge": ridge, "new_item_share_": share, "trend_.power": 0.0
    }  # fmt: skip
    learned = f" [scales_.ridge={ridge:.4g}, new_item_share_={share:.4g}, trend_.power=0]"
    assert repr(model).endswith(learned)
    given = KernelRidge(backbone=EASE(l2=20.0), steps=1, new_item_share=0.2, trend=0.0).fit(*data)
    assert list(given.learned_settings()) == ["scales_.ridge"]


@pytest.mark.parametrize("options", [{}, {"exact_items": 0, "landmarks": 1000}], ids=["exact", "landmarks"])
def test_cold_columns_are_the_literal_ones(data, options):
    clicks, items = data
    clicks = replace(clicks, hidden_at_random=True)  # no share of lists is held
    model = KernelRidge(backbone=EASE(l2=20.0), steps=5, **options).fit(clicks, items)
    x = clicks.matrix[:, : N_ITEMS - N_COLD]
    ease = EASE(l2=20.0).fit(clicks).score(csr_array(np.eye(N_ITEMS, dtype=np.float32)))
    weights = ease[: N_ITEMS - N_COLD, : N_ITEMS - N_COLD]
    training = TrainingData.of(x)
    taste, variances = dense_kernel(model, items, model.taste_weights_, training.items)
    popularity, _ = dense_kernel(model, items, model.popularity_weights_, training.items)
    columns = np.stack(
        [
            reference.cold_column(
                model.scales_,
                weights,
                (taste[training.items], taste[j], variances[j], training.items),
                (popularity[training.items], popularity[j], training.log_clicks[training.items]),
                training.mean_length,
            )
            for j in range(N_ITEMS - N_COLD, N_ITEMS)
        ],
        axis=1,
    )
    scores = model.score(clicks.matrix)[:, N_ITEMS - N_COLD :]
    tolerance = 1e-3 if not options else 2e-2
    np.testing.assert_allclose(scores, x @ columns, atol=tolerance * np.abs(scores).max())


def test_explanation_adds_up_over_fields_and_tells_how_sure(model, data):
    explained = model.explain(3, N_ITEMS - 1)
    assert explained.by_field["share"].sum() == pytest.approx(explained.score, rel=1e-3)
    assert explained.by_item["share"].sum() == pytest.approx(explained.score, rel=1e-3)
    assert set(explained.by_field["field"]) >= {"genres", "plot", "year", "clip"}
    certainty = dict(model.certainty().iter_rows())
    assert explained.certainty == pytest.approx(certainty[N_ITEMS - 1])
    assert model.explain(3, 0).certainty is None


def test_certainty_is_high_for_equal_metadata_and_low_for_unlike_metadata(model, data):
    items = data[1]
    same = items.take(np.array([0])).to_frame().with_columns(item_id=pl.Series([1000]))
    unlike = same.clear().vstack(same).with_columns(
        item_id=pl.Series([1001]),
        genres=pl.Series([[]], dtype=pl.List(pl.String)),
        plot=pl.lit("unheard words only"),
        year=pl.lit(None, dtype=pl.Float64),
        clip=pl.Series([None], dtype=pl.List(pl.Float32)),
    )  # fmt: skip
    kinds = {"plot": "text", "genres": "categories", "clip": "vector", "year": "number"}
    model = KernelRidge(steps=5).fit(*data)
    model.add_items(Items.from_frame(pl.concat([same, unlike]), kinds=kinds))
    certainty = dict(model.certainty().iter_rows())
    assert 0 <= certainty[1001] < certainty[1000] <= 1


def test_a_new_item_scores_as_a_never_clicked_one_of_the_same_metadata(data):
    model = KernelRidge(steps=5).fit(*data)
    same = data[1].take(np.array([N_ITEMS - 1])).to_frame().with_columns(item_id=pl.Series([1000]))
    model.add_items(Items.from_frame(same, kinds={"plot": "text"}))
    scores = model.score(csr_array(data[0].matrix, shape=(150, N_ITEMS + 1)))
    np.testing.assert_allclose(scores[:, -1], scores[:, N_ITEMS - 1], rtol=1e-4)
    assert model.explain(3, 1000).by_field["share"].sum() == pytest.approx(
        model.explain(3, 1000).score, rel=1e-3
    )


def test_refused_items_change_nothing(data):
    model = KernelRidge(steps=5).fit(*data)
    with pytest.raises(ItemsError, match=r"column 'year', row 1 \(item 1000\): 'soon' is not a finite"):
        model.add_items([{"item_id": 1000, "year": "soon"}])
    assert model.n_items == N_ITEMS
    assert model.recommend([3], k=3).height == 3


def test_settled_items_are_eases(data):
    clicks, items = data
    model = KernelRidge(backbone=EASE(l2=20.0), steps=5).fit(clicks, items)
    ease = EASE(l2=20.0).fit(clicks, items)
    settled = model.warm_up_.settled(clicks.item_clicks(), np.zeros(N_ITEMS)) & (clicks.item_clicks() > 0)
    identity = csr_array(np.eye(N_ITEMS, dtype=np.float32))
    np.testing.assert_allclose(model.score(identity)[:, settled], ease.score(identity)[:, settled], rtol=1e-5)


def test_terms_are_summed_up_under_the_fields_of_the_table(model):
    explained = model.explain(3, N_ITEMS - 1)
    by_term, by_field = dict(explained.by_term.rows()), dict(explained.by_field["field", "share"].rows())
    assert set(by_field) == {"genres", "plot", "year", "clip", BASE_LEVEL}
    for field in ("genres", "plot"):
        both = by_term[field] + by_term.get(f"amount of {field}", 0.0)
        assert by_field[field] == pytest.approx(both, rel=1e-5, abs=1e-7)
    assert by_field[BASE_LEVEL] == by_term[BASE_LEVEL]


def test_weights_of_the_kernels_are_told(model):
    weights = model.metadata_weights()
    assert weights["term"].to_list() == [*model.kernel_.terms, BASE_LEVEL]
    assert weights["taste"].to_list() == model.taste_weights_.tolist()
    assert weights["popularity"].to_list() == model.popularity_weights_.tolist()
    assert set(model.importance()["field"]) == {"genres", "plot", "year", "clip"}


def test_importance_is_how_far_fields_move_the_scores_of_new_items(data, monkeypatch):
    """By the shares of ``explain``, one user and item at a time."""
    clicks, items = data
    model = KernelRidge(steps=3).fit(clicks, items)
    monkeypatch.setattr("isotherm.models.kernel_ridge.model.LEAST_NEW", 1)
    new = model.items_.take(model.cold_.columns)
    damping = model.scales_.of_new_items.cold_factor(model.cold_.certainty)
    moved = {}
    for user in model.users_.take(evenly(np.arange(clicks.n_users), IMPORTANCE_USERS)):
        row = model.histories_of(model.users_.known_rows([user], "user"))
        scores = model.trend_.scaled(model.weights_.scores(row))
        scaled = model.user_scaling_.of(scores, row, model.cold_.columns)[0]
        shares = {}
        for item, factor in zip(new, damping, strict=True):
            for field, share in model.explain(user, item).by_field["field", "share"].rows():
                shares.setdefault(field, []).append(share / (factor * scaled))
        for field, values in shares.items():
            moved[field] = moved.get(field, 0.0) + np.abs(np.array(values) - np.mean(values)).sum()
    del moved[BASE_LEVEL]
    for field, share in model.importance()["field", "share"].rows():
        assert share == pytest.approx(moved[field] / sum(moved.values()), rel=1e-2, abs=1e-4)


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        (isotherm.ItemKNN(), "backbone must be one of ease, slim, ials, multvae, multdae, recvae"),
        ("popularity", "backbone must be one of ease"),
        (EASE(collective=1.0), "backbone.collective must be 0"),
    ],
    ids=["model", "name", "collective"],
)
def test_what_is_no_backbone_is_refused(backbone, message):
    with pytest.raises(ParameterError, match=message):
        KernelRidge(backbone=backbone)
