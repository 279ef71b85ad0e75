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
