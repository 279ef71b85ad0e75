"""The EASE term: what is added, how its scale is chosen, and that it is saved."""

from copy import copy

import numpy as np
import pytest

import isotherm
from isotherm.models.linear.ease import EASE
from isotherm.models.vae.multvae import MultVAE
from isotherm.models.vae.network.scoring import logits
from isotherm.models.vae.objective.ease_term import EASETerm, FittedEASETerm
from isotherm.models.vae.training.settings import Training
from isotherm.models.vae.training.validation import held_out
from tests.models.vae.small import SMALL, tastes


def test_scores_are_logits_and_eases_scores(clicks):
    model = MultVAE(**SMALL, ease_term=EASETerm(l2=30.0, weight=4.0), training=Training(epochs=2)).fit(clicks)
    ease = EASE(l2=30.0).fit(clicks)
    expected = logits(model.network_, clicks.matrix) + 4 * ease.score(clicks.matrix)
    np.testing.assert_allclose(model.score(clicks.matrix), expected, rtol=1e-4, atol=1e-4)


def test_the_scale_is_the_one_that_ranks_validation_best():
    training = Training(epochs=3, valid_share=0.3)
    model = MultVAE(**SMALL, ease_term=EASETerm(l2=30.0), training=training).fit(tastes())
    _, validation = held_out(model.clicks_, 0.3, 0)

    def at(scale):  # the network is the same whatever the term
        other = copy(model)
        other.ease_term_ = FittedEASETerm(model.ease_term_.weights, scale)
        return validation.measure(other.score, "ndcg", 100)

    found = {scale: at(scale) for scale in EASETerm().candidate_scales(measured=True)}
    assert found[model.ease_term_.scale] == max(found.values())
    assert max(found.values()) > found[0.0]
    fixed = MultVAE(**SMALL, ease_term=EASETerm(l2=30.0, weight=model.ease_term_.scale), training=training)
    np.testing.assert_array_equal(fixed.fit(tastes()).score(model.clicks_), model.score(model.clicks_))


def test_without_validation_the_scale_is_ten(clicks):
    model = MultVAE(**SMALL, ease_term=EASETerm(), training=Training(epochs=2)).fit(clicks)
    assert model.ease_term_.scale == 10.0
    assert EASETerm(weight=2.0).candidate_scales(measured=True) == (2.0,)


def test_an_ease_term_is_saved(clicks, items, tmp_path):
    model = MultVAE(**SMALL, ease_term=EASETerm(), training=Training(epochs=2)).fit(clicks, items)
    model.save(tmp_path / "m")
    loaded = isotherm.load(tmp_path / "m")
    assert repr(loaded) == repr(model)
    assert "ease_term=EASETerm(l2='auto', weight='auto')" in repr(loaded)
    assert loaded.recommend(k=5).equals(model.recommend(k=5))


def test_impossible_values_are_refused():
    for wrong in ({"l2": 0.0}, {"weight": -1.0}, {"weight": "much"}):
        with pytest.raises(isotherm.errors.ParameterError, match=r"ease_term\.\w+ must be"):
            EASETerm(**wrong)
