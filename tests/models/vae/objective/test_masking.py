"""Which clicks the encoder sees; what masks and betas refuse."""

import math

import numpy as np
import pytest
import torch

from isotherm.errors import ParameterError
from isotherm.models.vae.objective.beta import Annealed, Constant
from isotherm.models.vae.objective.masking import Bernoulli, Clean, PopularityAware, Scheduled


def test_bernoulli_keeps_each_click_with_its_probability():
    clicks = torch.tensor([5, 1, 100])
    assert Clean().keep_probability(clicks, 3).tolist() == [1.0] * 3
    assert Bernoulli(keep=0.3).keep_probability(clicks, 3).tolist() == pytest.approx([0.3] * 3)
    schedule = Scheduled(start=1.0, end=0.5, epochs=10)
    shares = [schedule.keep_probability(clicks, e)[0].item() for e in (0, 5, 10, 50)]
    assert shares == pytest.approx([1.0, 0.75, 0.5, 0.5])


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
def test_popularity_aware_mask_keeps_its_share_and_hides_the_popular(keep):
    clicks = torch.from_numpy(np.random.default_rng(0).zipf(1.6, 500).clip(0, 4000))
    probability = PopularityAware(keep=keep, power=0.5).keep_probability(clicks, 0)
    assert ((probability > 0) & (probability <= 1)).all()
    assert (clicks * probability).sum() / clicks.sum() == pytest.approx(keep, rel=1e-4)
    order = torch.argsort(clicks)
    assert (probability[order].diff() <= 1e-7).all()
    flat = PopularityAware(keep=keep, power=0.0).keep_probability(clicks, 0)
    torch.testing.assert_close(flat, torch.full((500,), keep), rtol=1e-4, atol=1e-4)


def test_parts_refuse_impossible_values():
    for make in (
        lambda: Bernoulli(keep=0.0),
        lambda: Bernoulli(keep=1.1),
        lambda: Constant(value=-1.0),
        lambda: Annealed(cap=math.nan),
        lambda: PopularityAware(power=-1.0),
        lambda: Scheduled(epochs=0),
    ):
        with pytest.raises(ParameterError, match=r"(mask|beta)\.\w+ must be"):
            make()
