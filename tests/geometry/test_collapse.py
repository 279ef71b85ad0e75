"""Collapse: known answers for the information, and a model that β has collapsed."""

import math

import numpy as np
import pytest

from isotherm import Constant, MultDAE, MultVAE, Training
from isotherm.geometry.collapse import measure_collapse
from isotherm.geometry.posteriors import Posteriors
from tests.models.vae.small import SMALL, tastes


def test_users_who_are_all_alike_carry_no_information():
    found = measure_collapse(Posteriors(np.zeros((200, 5), np.float32), np.ones((200, 5), np.float32)))
    assert found.kl == pytest.approx(0, abs=1e-6)
    assert found.divergence.information == pytest.approx(0, abs=1e-6)
    assert (found.active, found.rank, found.state) == (0, 0, "collapsed")


def test_users_far_apart_carry_all_that_can_be_told():
    mean = 100 * np.random.default_rng(0).standard_normal((300, 5)).astype(np.float32)
    found = measure_collapse(Posteriors(mean, np.full((300, 5), 0.1, np.float32)))
    assert found.divergence.information == pytest.approx(math.log(300))
    assert found.most_information == pytest.approx(math.log(300))
    assert found.divergence.aggregated_gap == pytest.approx(found.kl - found.divergence.information)
    assert (found.active, found.state) == (5, "alive")
    assert found.rank == pytest.approx(5, abs=0.2)


def test_two_groups_carry_one_bit():
    mean = np.where(np.arange(400)[:, None] % 2, 50, -50) * np.ones((400, 2), np.float32)
    found = measure_collapse(Posteriors(mean.astype(np.float32), np.ones((400, 2), np.float32)))
    assert found.divergence.information == pytest.approx(math.log(2))
    assert found.rank == pytest.approx(1)
    some = measure_collapse(
        Posteriors(mean.astype(np.float32), np.ones((400, 2), np.float32)), most_users=100
    )
    assert some.divergence.information == pytest.approx(math.log(2), abs=0.02)


def test_kl_is_the_closed_form():
    mean, deviation = np.full((20, 3), 2.0, np.float32), np.full((20, 3), 0.5, np.float32)
    found = measure_collapse(Posteriors(mean, deviation))
    np.testing.assert_allclose(found.divergence.by_unit, 0.5 * (4 + 0.25 - 1) - math.log(0.5), rtol=1e-6)


@pytest.mark.parametrize(("beta", "state"), [(100.0, "collapsed"), (0.01, "alive")])
def test_a_large_beta_collapses_a_model(beta, state):
    clicks = tastes()
    model = MultVAE(**SMALL, beta=Constant(value=beta), training=Training(epochs=60, valid_share=0)).fit(
        clicks
    )
    found = measure_collapse(Posteriors.of(model.network_, clicks.matrix))
    assert found.state == state
    assert f"of {SMALL['latent']} units" in found.verdict


def test_an_autoencoder_has_no_kl():
    clicks = tastes()
    model = MultDAE(**SMALL, training=Training(epochs=5)).fit(clicks)
    found = measure_collapse(Posteriors.of(model.network_, clicks.matrix))
    assert found.kl is found.divergence is None
    assert "nats" not in found.verdict
