"""Random clicks."""

import numpy as np
import pytest
import torch

from tests.conftest import random_clicks
from tests.models.vae.objective.forwards import N_ITEMS, N_USERS


@pytest.fixture
def x():
    return torch.from_numpy(random_clicks(np.random.default_rng(0), N_USERS, N_ITEMS)).float()
