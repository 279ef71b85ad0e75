"""MARec on SLIM: eq. 10 against its literal version; how far new items' similarities are smoothed."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

import isotherm
from isotherm import EASE, IALS, SLIM, Interactions, MARec
from isotherm.errors import UnsupportedError
from isotherm.models.cold_start.calibration import mean_ndcg
from isotherm.models.cold_start.pseudo_cold import PseudoColdSplit
from isotherm.models.marec.backbones.linear import EASEAligner, best_smoothing
from isotherm.models.marec.beta import HiddenItems
from tests.conftest import random_clicks
from tests.models.marec.small import cases, dense_weights, mixed_similarity
from tests.reference import marec as reference


@settings(max_examples=40, deadline=None)
@given(cases(), st.sampled_from([0.1, 0.5, 1.0]), st.sampled_from([0.0, 50.0]))
def test_slim_equals_eq_10(case, nonclick_weight, self_penalty):
    x, items, encoded, options = case
    slim = SLIM(l2=20.0, nonclick_weight=nonclick_weight, self_penalty=self_penalty, tolerance=1e-6)
    model = MARec(backbone=slim, smoothing=1.0, **options).fit(Interactions.from_csr(x), items)
    g, counts = mixed_similarity(model, *encoded), x.sum(axis=0)
    d = reference.eq6_strengths(counts, model.click_threshold_, options["beta"])
    mixing = np.eye(len(g)) + options["alpha"] * g * d
    assume(np.linalg.cond(nonclick_weight * x.T @ x @ mixing + 20 * np.eye(len(g))) < 1e3)
    expected = reference.eq10_weights(x, options["alpha"] * x @ g * d, 20.0, nonclick_weight, self_penalty)
    np.testing.assert_allclose(dense_weights(model), expected, atol=2e-4 * max(1.0, np.abs(expected).max()))


def hidden_items(seed):
    x = random_clicks(np.random.default_rng(seed), 80, 30, 0.3)
    split = PseudoColdSplit.draw(csr_array(x.astype(np.float32)), 0)
    rng = np.random.default_rng(seed)
    to_kept = rng.random((len(split.hidden_items), len(split.kept_items))).astype(np.float32)
    return HiddenItems(split, to_kept, np.zeros((len(split.hidden_items), 30), np.float32))


def test_the_smoothing_is_the_middle_of_those_that_rank_hidden_items_best_among_each_other():
    chosen = set()
    for seed in range(8):
        hidden = hidden_items(seed)
        split = hidden.split
        kept = EASEAligner(EASE(l2=50.0), 1.0)._solved(split.kept_clicks)
        found = best_smoothing(kept, hidden)
        c = (split.kept_clicks.T @ split.kept_clicks).toarray()
        smoothed = hidden.to_kept @ c @ np.linalg.inv(c + 50.0 * np.eye(len(c)))
        targets = split.targets[:, split.hidden_items]

        def at(t, hidden=hidden, smoothed=smoothed, targets=targets):
            columns = t * smoothed + (1 - t) * hidden.to_kept
            return mean_ndcg((hidden.split.histories @ columns.T).astype(np.float32), csr_array(targets))

        ndcgs = {t: at(t) for t in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)}
        alike = [t for t, ndcg in ndcgs.items() if ndcg >= 0.98 * max(ndcgs.values())]
        assert found == pytest.approx(np.mean(alike), abs=1e-3)
        chosen.add(found)
    assert len(chosen) > 1


@pytest.mark.parametrize("beta", ["auto", 2.0])
@pytest.mark.parametrize("backbone", [EASE(l2=30.0), SLIM(l2=30.0)])
def test_a_learned_smoothing_is_shown_saved_and_held(clicks, items, tmp_path, backbone, beta):
    model = MARec(backbone=backbone, smoothing="auto", beta=beta).fit(clicks, items)
    learned = model.learned_settings()["aligned_.smoothing"]
    assert f"aligned_.smoothing={learned:.4g}" in repr(model)
    by_hand = MARec(backbone=backbone, smoothing=learned, beta=beta).fit(clicks, items)
    np.testing.assert_array_equal(by_hand.weights_.warm, model.weights_.warm)
    assert by_hand.recommend(k=9).equals(model.recommend(k=9))
    model.save(tmp_path / "model")
    assert isotherm.load(tmp_path / "model").recommend(k=9).equals(model.recommend(k=9))
    assert model.refit(clicks, items).recommend(k=9).equals(model.recommend(k=9))
    other = MARec(backbone=backbone, smoothing=0.5 if learned != 0.5 else 0.7, beta=2.0).fit(clicks, items)
    assert not np.allclose(cold_columns(other), cold_columns(model) * other.beta_ / model.beta_)


def cold_columns(model):
    """Weights of the items without clicks."""
    return model.weights_.blocks[1].weights


def test_what_has_no_weights_knows_no_smoothing(clicks, items):
    with pytest.raises(UnsupportedError, match="marec on ials knows no smoothing"):
        MARec(backbone=IALS(factors=2), smoothing=0.5).fit(clicks, items)
