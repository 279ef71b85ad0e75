"""Random clicks, as a dense array and as a batch."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from isotherm.models.vae.network.batch import Batch
from tests.conftest import random_clicks
from tests.models.vae.network.tables import N_ITEMS, N_USERS


@pytest.fixture
def x():
    values = random_clicks(np.random.default_rng(0), N_USERS, N_ITEMS)
    return torch.from_numpy(values * np.random.default_rng(1).uniform(0.5, 2, values.shape)).float()


@pytest.fixture
def batch(x):
    return Batch.of(csr_array(x.numpy()))
