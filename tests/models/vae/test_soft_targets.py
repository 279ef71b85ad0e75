"""Soft targets beside the clicks: what the objective reads of them, and what a network learns from them."""

from dataclasses import replace

import numpy as np
import torch
from scipy.sparse import csr_array

from isotherm import Interactions
from isotherm.models.vae.multvae import MultVAE
from isotherm.models.vae.objective.terms import Reconstruction, SoftTargetTerm
from isotherm.models.vae.training.run_setup import Phase, RunSetup
from isotherm.models.vae.training.settings import Training
from tests.models.vae.objective.forwards import N_ITEMS, N_USERS, forward_of
from tests.models.vae.small import SMALL, tastes


def on_the_last_item(rows):
    """A soft target of 3 on the last item, for every user."""
    dense = np.zeros((len(rows), 61), np.float32)
    dense[:, -1] = 3.0
    return csr_array(dense)


def test_the_term_is_the_weighted_log_likelihood_of_the_soft_targets():
    forward = replace(forward_of(torch.ones(N_USERS, N_ITEMS)), soft_log_likelihood=-torch.arange(9.0))
    term = SoftTargetTerm(0.3, on_the_last_item)
    assert term.weight(forward) == 0.3
    torch.testing.assert_close(term(forward), torch.arange(9.0))


def test_a_run_reads_the_soft_targets_of_its_terms():
    clicks = tastes()
    network = MultVAE(**SMALL).new_network(60)

    def setup(*terms):
        return RunSetup("multvae", Training(), network, [Phase(terms)], clicks.matrix, np.arange(9), 0)

    assert setup(Reconstruction()).soft_targets is None
    assert setup(Reconstruction(), SoftTargetTerm(0.3, on_the_last_item)).soft_targets is on_the_last_item
    assert list(setup(Reconstruction()).modules) == ["network"]


def test_an_item_that_nobody_clicked_is_learned_from_its_soft_targets():
    matrix = csr_array(tastes().matrix)
    clicks = Interactions.from_csr(csr_array((matrix.data, matrix.indices, matrix.indptr), shape=(240, 61)))
    training = Training(epochs=10, batch_size=60, learning_rate=0.01)
    plain = MultVAE(**SMALL, training=training).fit(clicks)
    soft = MultVAE(**SMALL, training=training)
    assert soft.fit_with_soft_targets(clicks, SoftTargetTerm(0.5, on_the_last_item)) is soft
    assert not (plain.score(clicks.matrix).argmax(axis=1) == 60).any()
    soft_share = torch.softmax(torch.from_numpy(soft.score(clicks.matrix)), 1)[:, 60]
    assert soft_share.mean() > 0.05  # of some ten clicks and 1.5 of soft target, an eighth
