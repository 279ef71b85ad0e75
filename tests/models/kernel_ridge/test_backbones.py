"""Kernel ridge on other backbones than EASE: literal scores, explanations, new items, saving."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

import isotherm
from isotherm import EASE, IALS, SLIM, EASETerm, FitOptions, Interactions, KernelRidge, MultVAE, Training
from isotherm.errors import UnsupportedError
from isotherm.features.metadata_terms import BASE_LEVEL
from isotherm.linalg.csr import widen
from isotherm.models.kernel_ridge.score_levels import ScoreLevels
from isotherm.models.kernel_ridge.warm_up import WarmUp
from isotherm.parameters import build
from tests.conftest import random_clicks
from tests.features.test_metadata_kernel import table

N_ITEMS, N_COLD = 60, 8
N_WARM = N_ITEMS - N_COLD
OTHERS = {
    "slim": lambda: SLIM(l2=20.0),
    "ials": lambda: IALS(factors=8),
    "multvae": lambda: MultVAE(hidden=16, latent=4, ease_term=EASETerm(), training=Training(epochs=4)),
}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(11)
    items = table(rng, N_ITEMS)
    clicks = Interactions.from_csr(csr_array(random_clicks(rng, 150, N_ITEMS, 0.2, N_COLD)))
    return replace(clicks, hidden_at_random=True), items  # no share of lists is held


def made(backbone, **settings):
    return KernelRidge(backbone=backbone, steps=3, **settings)


@pytest.fixture(scope="module", params=OTHERS)
def fitted(request, data):
    return made(OTHERS[request.param]()).fit(*data)


@pytest.fixture(scope="module")
def beside_ease(data):
    """What is learned of new items is learned beside EASE()."""
    return made(EASE()).fit(*data)


def levels_of(model, alone, ease):
    """a and b of each user, and S of the clicked items."""
    own = alone.score(model.clicks_)[:, :N_WARM]
    levels = ScoreLevels.matching(own, ease[:, :N_WARM], csr_array(model.clicks_[:, :N_WARM]))
    return own, levels, levels.to_level(own)


def test_scores_are_the_literal_ones(data, fitted, beside_ease):
    alone, ease = (each.fit(*data) for each in (OTHERS[fitted.backbone.name](), EASE()))
    scores, beside = fitted.score(fitted.clicks_), beside_ease.score(fitted.clicks_)
    of_ease = ease.score(fitted.clicks_)
    _own, levels, at_level = levels_of(fitted, alone, of_ease)
    a, b = levels.spread[:, None], levels.shift[:, None]
    np.testing.assert_allclose(scores[:, N_WARM:], (beside[:, N_WARM:] - b) / a, rtol=1e-4, atol=1e-4)
    m = fitted.other_.own_shares
    assert ((m > 0) & (m < 1)).any()
    theta = beside[:, :N_WARM] + m * (at_level - of_ease[:, :N_WARM])
    np.testing.assert_allclose(scores[:, :N_WARM], (theta - b) / a, rtol=1e-3, atol=1e-3)


def test_items_of_many_clicks_score_as_in_the_backbone_alone(data, fitted, monkeypatch):
    settled = np.arange(N_WARM) % 2 == 0
    shares = np.where(settled, 1, fitted.other_.own_shares).astype(np.float32)
    monkeypatch.setattr(fitted.other_, "own_shares", shares)
    alone = OTHERS[fitted.backbone.name]().fit(*data)
    expected = alone.score(fitted.clicks_)[:, :N_WARM][:, settled]
    np.testing.assert_array_equal(fitted.score(fitted.clicks_)[:, :N_WARM][:, settled], expected)


def test_own_clicks_count_more_the_more_there_are():
    warm_up = WarmUp(direction_clicks=4.0, hold_clicks=2.0)
    shares = warm_up.own_shares(np.array([1, 4, 10, 100, 5000]), np.array([0, 0, 0, 0, 0.5]))
    assert (np.diff(shares[:4]) > 0).all()
    np.testing.assert_allclose(shares[:2], 1 - np.exp([-0.25, -1]), rtol=1e-6)
    assert (shares[3:] == 1).all()
    assert warm_up.own_shares(np.array([4]), np.array([1.0]))[0] == 0  # surely new


def test_the_trend_counts_at_the_level_of_ease(data):
    clicks, items = data
    frame = clicks.to_frame()
    times = np.random.default_rng(0).permutation(frame.height)
    log = Interactions.from_frame(frame.with_columns(timestamp=times))
    model = made(IALS(factors=8), trend=1.0, new_item_share=0.2).fit(log, items)
    known = model.items_.rows(range(N_WARM))
    at_ease = model.other_.at_ease_level(model.weights_, model.clicks_)
    expected = at_ease.scores[:, known] * model.trend_.factors[known]
    a, b = at_ease.levels.spread[:, None], at_ease.levels.shift[:, None]
    assert np.ptp(model.trend_.factors[known]) > 0.1
    np.testing.assert_allclose(model.score(model.clicks_)[:, known], (expected - b) / a, rtol=1e-4, atol=1e-4)


def test_explanations_add_up_on_every_backbone(fitted):
    scores = fitted.score(fitted.clicks_)
    for item in (N_WARM, N_ITEMS - 1):
        why = fitted.explain(5, item)
        assert why.by_item["share"].sum() == pytest.approx(scores[5, item], rel=1e-4, abs=1e-5)
        assert why.by_term["share"].sum() == pytest.approx(scores[5, item], rel=1e-3, abs=1e-4)
        assert BASE_LEVEL in why.by_term["term"].to_list()
    if fitted.backbone.name == "multvae":
        with pytest.raises(UnsupportedError, match="kernel-ridge on multvae has no exact explanation"):
            fitted.explain(5, 3)
        return
    for item in (3, 40):
        why = fitted.explain(5, item)
        assert why.by_item["share"].sum() == pytest.approx(scores[5, item], rel=1e-3, abs=1e-4)


def test_new_items_change_no_other_score_and_are_saved(fitted, tmp_path):
    before = fitted.score(fitted.clicks_)
    fitted.save(tmp_path / "first")
    loaded = isotherm.load(tmp_path / "first")
    loaded.add_items([{"item_id": 100, "genres": ["a"]}, {"item_id": 101}])
    wide = widen(loaded.clicks_, N_ITEMS + 2)
    after = loaded.score(wide)
    np.testing.assert_array_equal(after[:, :N_ITEMS], before)
    loaded.save(tmp_path / "second")
    np.testing.assert_array_equal(isotherm.load(tmp_path / "second").score(wide), after)
    only_new = loaded.answer([[100]], k=3)  # says nothing of clicked items: the popular ones
    assert only_new.by_popularity.tolist() == [True]


def test_a_refit_on_unchanged_clicks_is_the_fit(data, fitted):
    before = fitted.score(fitted.clicks_)
    again = made(OTHERS[fitted.backbone.name]()).fit(*data).refit(*data)
    np.testing.assert_array_equal(again.score(again.clicks_)[:, :N_WARM], before[:, :N_WARM])


def test_options_of_training_go_to_the_backbone(data, tmp_path):
    model = made(OTHERS["multvae"]())
    assert model.trains_in_steps
    assert not made(IALS()).trains_in_steps
    model.fit(*data, FitOptions(run_dir=tmp_path / "run"))
    assert list((tmp_path / "run").iterdir())


def test_backbones_are_chosen_by_name_with_dotted_settings():
    model = build(
        KernelRidge, {"backbone": "multvae", "backbone.anchors.weight": 1, "backbone.ease_term": "ease"}
    )
    assert (model.backbone.name, model.backbone.anchors.weight) == ("multvae", 1.0)
    assert "backbone=MultVAE(" in repr(model)
    assert build(KernelRidge, {"backbone.l2": 7}).backbone.l2 == 7


def test_what_the_backbone_learned_of_its_settings_is_told(data):
    model = made(IALS(factors=4, l2="auto")).fit(*data)
    learned = model.learned_settings()
    assert learned["other_.model.regularization_.l2"] == model.other_.model.regularization_.l2
