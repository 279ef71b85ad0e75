"""The average of weights over the steps: its numbers, where it stands, and that a run keeps it."""

import numpy as np
import pytest
import torch
from torch import nn

from isotherm.models.vae.multdae import MultDAE
from isotherm.models.vae.training.averaging import WeightAverage
from isotherm.models.vae.training.settings import Training
from isotherm.models.vae.training.validation import held_out
from tests.models.vae.small import SMALL, tastes


def test_the_average_is_exponential_and_begins_light():
    module = nn.Linear(1, 1, bias=False)
    module.weight.data.fill_(0.0)
    average, wanted = WeightAverage(module, 0.5), 0.0
    for step, value in enumerate((3.0, 5.0, 2.0, 8.0, 1.0, 9.0, 4.0, 7.0, 6.0, 2.0)):
        module.weight.data.fill_(value)
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        wanted = decay * wanted + (1 - decay) * value
        assert float(average.arrays["weight"]) == pytest.approx(wanted, rel=1e-5)
    assert decay == 0.5
    with average.in_place():
        assert module.weight.item() == pytest.approx(wanted, rel=1e-5)
    assert module.weight.item() == 2.0
    average.put()
    assert module.weight.item() == pytest.approx(wanted, rel=1e-5)


def test_without_it_the_weights_stay():
    module = nn.Linear(2, 2)
    average, before = WeightAverage(module, 0.0), module.weight.detach().clone()
    average.update(0)
    with average.in_place():
        assert torch.equal(module.weight, before)
    average.put()
    assert torch.equal(module.weight, before)
    assert not average.arrays


@pytest.mark.parametrize("clip", [None, 1e9])
def test_what_is_validated_and_kept_is_the_average(clip):
    """With and without item tables that are updated in place."""
    settings = {"epochs": 12, "batch_size": 60, "learning_rate": 0.05, "clip": clip}
    averaged, last = (
        MultDAE(**SMALL, training=Training(**settings, average=average, valid_share=0)).fit(tastes())
        for average in (0.9, 0.0)
    )
    ours, theirs = averaged.network_.last.weight, last.network_.last.weight
    assert not torch.equal(ours, theirs)
    assert ours.norm() < theirs.norm()  # weights grow from their start, and the average is behind
    best = MultDAE(**SMALL, training=Training(**settings, average=0.9, valid_share=0.3)).fit(tastes())
    _, validation = held_out(best.clicks_, 0.3, 0)
    assert validation.measure(best.score, "ndcg", 100) == pytest.approx(best.progress_.best, abs=1e-6)
    assert np.isfinite(best.score(best.clicks_)).all()
