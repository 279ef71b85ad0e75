"""The optimizer: item tables in place, dense weights by torch, held weights, and resume of its state."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.item_table import ItemTable
from isotherm.models.vae.network.last_layer import LastLayer
from isotherm.models.vae.network.layers import MultiVAE, normalised
from isotherm.models.vae.network.softmax import log_likelihoods
from isotherm.models.vae.training.optimizer import Optimizer
from isotherm.models.vae.training.processes import Processes
from isotherm.models.vae.training.settings import Training
from tests.conftest import random_clicks

N_ITEMS = 20
ALONE = Processes(0, 1, torch.device("cpu"))


def setting(clip=None, sparse_updates=False):
    """A network, its optimizer, and the loss of one batch."""
    network = MultiVAE(N_ITEMS, 6, 3, True, 0)
    batch = Batch.of(csr_array(random_clicks(np.random.default_rng(0), 9, N_ITEMS).astype(np.float32)))
    optimizer = Optimizer({"network": network}, Training(clip=clip), ALONE, sparse_updates)

    def loss():
        hidden = network.decode(network.encode(normalised(batch)).mean)
        found = log_likelihoods(hidden, LastLayer(network.last, network.last_bias, torch.float32), [batch])
        return -found.sum() / batch.n_users

    return SimpleNamespace(network=network, optimizer=optimizer, loss=loss)


def weights(network):
    return {name: array.clone() for name, array in network.state_dict().items()}


@pytest.mark.parametrize("clip", [None, 1e9])
def test_steps_lower_the_loss_and_move_every_weight_that_is_not_held(clip):
    made = setting(clip)
    first, before = made.loss().item(), weights(made.network)
    for _ in range(5):
        made.optimizer.step(made.loss())
    assert made.loss().item() < first
    assert all(not torch.equal(array, before[name]) for name, array in made.network.state_dict().items())
    before = weights(made.network)
    made.optimizer.hold(made.network.decoder_parameters())
    made.optimizer.step(made.loss())
    still = {name for name, array in made.network.state_dict().items() if torch.equal(array, before[name])}
    assert still == {"middle.weight", "middle.bias", "last.weight", "last_bias"}


def test_tables_are_updated_in_place_but_for_clipping_and_several_processes():
    made = setting()
    assert set(made.optimizer.steps()) == {"network.first.weight", "network.last.weight"}
    assert not setting(clip=1.0).optimizer.steps()
    several = Optimizer(
        {"network": MultiVAE(N_ITEMS, 6, 3, True, 0)}, Training(), Processes(0, 2, ALONE.device), False
    )
    assert not several.steps()
    made.optimizer.release()
    assert made.network.first.in_place is None


def test_a_module_that_learns_nothing_is_left_as_it_is():
    kept = ItemTable(N_ITEMS, 2).requires_grad_(False)
    network = MultiVAE(N_ITEMS, 6, 3, True, 0)
    optimizer = Optimizer({"network": network, "old": kept}, Training(), ALONE, False)
    assert kept.in_place is None
    assert not any(name.startswith("old") for name in optimizer.steps())


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_restored_optimizer_goes_on_as_the_one_that_was_saved(clip):
    whole, other = setting(clip), setting(clip)
    for _ in range(3):
        whole.optimizer.step(whole.loss())
    state = {name: array.clone() for name, array in whole.optimizer.state().items()}
    steps = whole.optimizer.steps()
    groups = [whole.optimizer.table_state(), *whole.optimizer.possible_states()]
    assert set(state) == {name for group in groups for name in group}
    other.network.load_state_dict(weights(whole.network))
    other.optimizer.weights_replaced()
    other.optimizer.restore(state, steps)
    for made in (whole, other):
        made.optimizer.step(made.loss())
    for name, array in whole.network.state_dict().items():
        assert torch.equal(array, other.network.state_dict()[name]), name
