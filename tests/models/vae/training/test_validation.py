"""What early stopping ranks: given clicks, held-out users, folded histories."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm import FitOptions, Interactions
from isotherm.errors import ParameterError
from isotherm.models.vae.multvae import MultVAE
from isotherm.models.vae.objective.ease_term import EASETerm
from isotherm.models.vae.training.settings import Training
from isotherm.models.vae.training.validation import Validation, held_out
from tests.models.vae.small import SMALL, tastes


def test_given_validation_clicks_are_used():
    clicks = tastes()
    rng = np.random.default_rng(0)
    hidden = (rng.random(clicks.n_clicks) < 0.2) & (clicks.click_users() < 100)
    made = Validation.given(clicks.keep(~hidden), clicks.keep(hidden), 0)
    assert made.histories.shape[0] == len(set(clicks.click_users()[hidden]))
    assert made.targets.nnz == hidden.sum()
    new = Interactions.from_csr(clicks.matrix[:30], [f"new{n}" for n in range(30)])
    apart = Interactions.from_csr(clicks.matrix[30:], [f"old{n}" for n in range(210)])
    fresh = Validation.given(apart, new, 0)
    assert fresh.histories.shape[0] == 30
    assert fresh.histories.nnz + fresh.targets.nnz == new.n_clicks
    overlap = fresh.histories.multiply(fresh.targets)
    assert not overlap.nnz
    assert 0.7 < fresh.histories.nnz / new.n_clicks < 0.9
    model = MultVAE(**SMALL, training=Training(epochs=5)).fit(apart, options=FitOptions(valid=new))
    assert model.progress_.best == max(0.0, model.progress_.best) > 0
    assert len(model.users_) == 210
    strange = Interactions.from_csr(clicks.matrix[:3], ["a", "b", "c"], np.arange(1000, 1060))
    with pytest.raises(ParameterError, match="the validation clicks hold 60 items unknown to fit"):
        MultVAE(**SMALL).fit(apart, options=FitOptions(valid=strange))


def test_few_users_are_not_held_out():
    stays, validation = held_out(tastes().matrix, 0.05, 0)
    assert stays.all()
    assert validation is None
    stays, validation = held_out(tastes().matrix, 0.3, 0)
    assert (~stays).sum() == validation.histories.shape[0] == 72


def test_folding_leaves_each_user_a_history():
    matrix = tastes().matrix
    folded = Validation.folded(matrix, 0)
    assert (np.diff(folded.histories.indptr) >= 1).all()
    np.testing.assert_array_equal((folded.histories + folded.targets).toarray(), matrix.toarray())


def test_validation_hides_what_was_seen():
    """A score that puts the history first must not push the targets down."""
    x = csr_array(np.eye(4, 8, dtype=np.float32))
    targets = csr_array(np.eye(4, 8, k=4, dtype=np.float32))
    scores = (10 * x + targets).toarray()
    assert Validation(x, targets).measure(lambda block: scores.copy(), "ndcg", 1) == 1.0


def test_validation_clicks_that_are_training_clicks_are_left_out(caplog):
    """As targets they are hidden as seen: the metric would be exactly 0, and the EASE term switched off."""
    clicks = tastes()
    hidden = (np.random.default_rng(0).random(clicks.n_clicks) < 0.2) & (clicks.click_users() < 100)
    train, kept_apart = clicks.keep(~hidden), clicks.keep(hidden)
    expected = Validation.given(train, kept_apart, 0)
    assert not caplog.text
    found = Validation.given(train, clicks, 0)  # all clicks: the training ones among them
    assert f"{train.n_clicks} of {clicks.n_clicks} validation clicks are training clicks too" in caplog.text
    np.testing.assert_array_equal(found.targets.toarray(), expected.targets.toarray())
    np.testing.assert_array_equal(found.histories.toarray(), expected.histories.toarray())
    model = MultVAE(**SMALL, ease_term=EASETerm(), training=Training(epochs=2)).fit(
        train, options=FitOptions(valid=clicks)
    )
    assert model.progress_.best > 0
    assert model.ease_term_.scale > 0


def test_validation_with_nothing_to_find_is_refused():
    clicks = tastes()
    for valid in (
        clicks,
        clicks.keep(np.zeros(clicks.n_clicks, bool)),
        clicks.keep(clicks.click_users() == 3),
    ):
        with pytest.raises(
            ParameterError, match="no user has a history and a click to find that is no training"
        ):
            MultVAE(**SMALL, training=Training(epochs=1)).fit(clicks, options=FitOptions(valid=valid))
    with pytest.raises(ParameterError, match="valid must be Interactions, not ndarray"):
        MultVAE(**SMALL).fit(clicks, options=FitOptions(valid=np.ones(3)))
