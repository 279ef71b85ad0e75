"""Numbers that are no longer finite stop a training, and the message says where and what to do."""

import pytest
import torch

from isotherm import FitOptions
from isotherm.errors import TrainingError
from isotherm.models.vae.multvae import MultVAE
from isotherm.models.vae.objective.anchors import ItemAnchors
from isotherm.models.vae.objective.beta import Constant
from isotherm.models.vae.objective.terms import Reconstruction
from isotherm.models.vae.training.settings import Training
from tests.models.vae.small import SMALL, tastes


@pytest.mark.parametrize(
    "settings",
    [
        {"training": Training(epochs=1, learning_rate=3e38)},
        {"training": Training(epochs=1, learning_rate=3e38, clip=1.0)},
        {"beta": Constant(value=1e30), "training": Training(epochs=1)},
        {"anchors": ItemAnchors(weight=1e30), "training": Training(epochs=1)},
    ],
    ids=["learning rate", "learning rate, clipped", "beta", "anchors"],
)
def test_the_last_update_is_looked_at(settings, tmp_path):
    """One step, whose loss is a number and whose update is none: neither a model nor a checkpoint of it."""
    model = MultVAE(**SMALL, **settings)
    with pytest.raises(
        TrainingError, match=r"is no longer finite after epoch 1; lower training.learning_rate"
    ):
        model.fit(tastes(), options=FitOptions(run_dir=tmp_path / "run"))
    assert not hasattr(model, "network_")
    assert not list((tmp_path / "run").glob("*.safetensors"))


def test_scores_that_overflow_are_looked_at():
    model = MultVAE(**SMALL, training=Training(epochs=1, learning_rate=1.0, weight_decay=3e38))
    with pytest.raises(TrainingError, match=r"scores are not finite; lower training.learning_rate"):
        model.fit(tastes())


def test_a_weight_that_makes_the_sum_overflow_is_named():
    model = MultVAE(**SMALL, beta=Constant(value=3e38), training=Training(epochs=1))
    with pytest.raises(TrainingError, match=r"batch 1 .*the weight of the term kl is 3e\+38; lower"):
        model.fit(tastes())


def test_a_loss_that_breaks_stops_with_the_batch_the_term_and_the_cure(tmp_path, monkeypatch):
    calls = []

    def broken(self, forward):
        calls.append(1)
        return forward.reconstruction * (torch.nan if len(calls) == 7 else 1.0)

    monkeypatch.setattr(Reconstruction, "__call__", broken)
    model = MultVAE(**SMALL, training=Training(epochs=9, batch_size=60))
    with pytest.raises(
        TrainingError, match=r"epoch 2, batch 3 \(users at rows .*reconstruction is nan; lower "
    ):
        model.fit(tastes(), options=FitOptions(run_dir=tmp_path / "run"))
    with pytest.raises(Exception, match="not fitted"):
        model.recommend()
