"""Item tables for the tests of what meets them."""

import torch

from isotherm.models.vae.network.in_place_adam import InPlaceAdam
from isotherm.models.vae.network.item_table import ItemTable

N_USERS, N_ITEMS, WIDTH = 17, 43, 24


def table(seed=0, in_place=False, rate=1e-3, decay=0.0, sparse_updates=False):
    made = ItemTable(N_ITEMS, WIDTH)
    made.fill(0.5, torch.Generator().manual_seed(seed))
    if in_place:
        made.in_place = InPlaceAdam(made.weight, rate, decay, sparse_updates)
    return made


def gradient_taken(adam):
    """|g| of the first step, from Adam's second moment."""
    return adam.exp_avg_sq.sqrt() / 0.001**0.5


def assert_gradients(made, hidden, bias, wanted, dtype):
    """Of a loss in hidden, table and bias; of a table that learns in place by size."""
    learned = made.weight.grad if made.in_place is None else gradient_taken(made.in_place)
    tight = 1e-5 if dtype == torch.float32 else 0.02
    for ours, theirs in ((hidden.grad, wanted[0]), (learned.abs(), wanted[1].abs()), (bias.grad, wanted[2])):
        assert (ours - theirs).norm() <= tight * theirs.norm() + 1e-6
