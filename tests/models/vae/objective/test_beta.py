"""Schedules of β."""

import pytest
import torch
from scipy.sparse import csr_array

from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.objective.beta import Annealed, Constant, PerClick


def test_beta_schedules(x):
    batch = Batch.of(csr_array(x.numpy()))
    assert Constant(value=0.3).of(batch, 5.0) == 0.3
    annealed = Annealed(cap=0.2, epochs=10)
    assert [annealed.of(batch, e) for e in (0.0, 5.0, 10.0, 99.0)] == pytest.approx([0, 0.1, 0.2, 0.2])
    torch.testing.assert_close(PerClick(gamma=0.005).of(batch, 0.0), 0.005 * x.sum(1))
