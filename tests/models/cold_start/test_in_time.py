"""Models in time: new items get their share of lists, and nothing changes without times."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

import isotherm
from isotherm import EASE, Items, KernelRidge, MARec
from isotherm.errors import ParameterError, UnsupportedError
from isotherm.models.cold_start.pseudo_cold import splits_in_time
from tests.models.cold_start.test_pseudo_cold import timed_log

N_NEW = 40
MODELS = {
    "kernel-ridge": lambda **options: KernelRidge(backbone=EASE(l2=20.0), steps=3, draws=1, **options),
    "marec": lambda **options: MARec(backbone=EASE(l2=20.0), **options),
}


@pytest.fixture(scope="module")
def data():
    """A log whose new items are about 5% of the late clicks, and as many that nobody has clicked yet."""
    log = timed_log(
        np.random.default_rng(1), n_users=400, n_items=400, n_clicks=16_000, n_new=20, new_share=0.05
    )
    rng = np.random.default_rng(2)
    n_items = log.n_items + N_NEW
    ids = [*log.items.values.to_list(), *range(1000, 1000 + N_NEW)]
    genres = [["abcd"[i % 4], *rng.choice([*"efgh"], 2)] for i in ids]
    return log, Items.from_frame(pl.DataFrame({"item_id": ids, "genre": genres, "year": rng.random(n_items)}))


@pytest.fixture(scope="module", params=MODELS)
def fitted(request, data):
    return MODELS[request.param]().fit(*data), MODELS[request.param], data


def listed_share(model):
    lists = model.recommend(k=10).join(
        pl.DataFrame({"item_id": model.items_.values}).with_row_index("column"), "item_id"
    )
    return float(lists["column"].is_in(model.cold_.columns.tolist()).mean())


def test_new_items_get_what_they_had_of_the_latest_clicks_or_less(fitted):
    model, _, (log, _) = fitted
    cuts = splits_in_time(log.matrix, log.click_times(), seed=0)
    late = max(cut.new_item_share for cut in cuts)
    assert 0.04 < late < 0.06
    assert 0 < model.new_item_share_ < late + 0.02
    assert listed_share(model) == pytest.approx(model.new_item_share_, abs=0.02)


def test_a_share_that_is_set_is_reached(fitted):
    model = fitted[1](new_item_share=0.3).fit(*fitted[2])
    assert model.new_item_share_ == pytest.approx(0.3, abs=0.005)
    assert listed_share(model) == pytest.approx(0.3, abs=0.01)
    for wrong in (0, 1, "much", None):
        with pytest.raises(ParameterError, match="new_item_share"):
            fitted[1](new_item_share=wrong)


def test_explanations_add_up_and_lists_are_the_scores(fitted):
    model = fitted[1](new_item_share=0.3).fit(*fitted[2])
    assert model.user_scaling_.exponent > 0
    assert model.user_scaling_.own > 0
    scores = model.score(model.histories_of(np.arange(5)))
    for user in range(5):
        explained = model.explain(model.users_.values[user], model.items_.values[int(model.cold_.columns[3])])
        assert explained.score == pytest.approx(scores[user, model.cold_.columns[3]], rel=1e-3, abs=1e-6)
        assert explained.by_item["share"].sum() == pytest.approx(explained.score, rel=1e-3, abs=1e-6)
        assert explained.by_field["share"].sum() == pytest.approx(explained.score, rel=2e-3, abs=1e-5)


def test_a_refit_is_the_fit_and_a_saved_model_the_same(fitted, tmp_path):
    model, _, data = fitted
    histories = model.histories_of(np.arange(20))
    scores = model.score(histories)
    model.save(tmp_path / "model")
    loaded = isotherm.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.score(histories), scores)
    assert (loaded.new_item_share_, loaded.user_scaling_) == (model.new_item_share_, model.user_scaling_)
    np.testing.assert_allclose(loaded.refit(*data).score(histories), scores, rtol=1e-4, atol=1e-6)


def test_an_added_item_scores_as_a_new_one_of_the_same_metadata(data):
    for make in MODELS.values():
        model = make(new_item_share=0.3).fit(*data)
        column = int(model.cold_.columns[0])
        same = data[1].take(np.array([column])).to_frame().with_columns(item_id=pl.Series([5000]))
        x = data[0].matrix[:30]
        before = model.score(csr_array((x.data, x.indices, x.indptr), shape=(30, model.n_items)))
        model.add_items(Items.from_frame(same))
        scores = model.score(csr_array((x.data, x.indices, x.indptr), shape=(30, model.n_items)))
        np.testing.assert_allclose(scores[:, -1], scores[:, column], rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(scores[:, :-1], before)


def test_without_times_new_items_score_as_pseudo_cold_ones_do(fitted):
    _, make, (log, items) = fitted
    model = make().fit(replace(log, timestamps=None, hidden_at_random=True), items)
    assert model.user_scaling_.changes_nothing
    assert listed_share(model) == pytest.approx(model.new_item_share_, abs=0.03)
    factor = model.scales_.new_item_factor if isinstance(model, KernelRidge) else model.new_item_factor_
    assert factor == 1


def test_without_times_new_items_get_at_most_twice_their_share_of_the_catalogue(fitted):
    _, make, (log, items) = fitted
    model = make().fit(replace(log, timestamps=None), items)
    assert model.new_item_share_ <= 2 * N_NEW / len(items) + 0.005
    assert listed_share(model) == pytest.approx(model.new_item_share_, abs=0.02)


def test_with_no_new_item_in_the_table_the_latest_ones_stand_for_them(fitted):
    _, make, (log, items) = fitted
    model = make(new_item_share=0.1).fit(log, items.take(np.arange(log.n_items)))
    new = items.take(np.arange(log.n_items, len(items)))
    model.add_items(new)
    assert 0.02 < listed_share(model) < 0.3


def test_a_backbone_without_click_shares_takes_no_share(data):
    pytest.importorskip("torch")
    from isotherm import MultVAE, Training

    model = MARec(
        backbone=MultVAE(hidden=8, latent=4, training=Training(epochs=1)), beta=1.0, new_item_share=0.1
    )
    with pytest.raises(UnsupportedError, match="knows no new_item_share"):
        model.fit(*data)
