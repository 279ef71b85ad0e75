"""The losses between clicks and logits: against their literal versions, what they need, what they refuse."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

import isotherm
from isotherm import FitOptions, MARec
from isotherm.errors import ParameterError
from isotherm.models.vae.multdae import MultDAE
from isotherm.models.vae.multvae import MultVAE
from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.item_table import ItemTable
from isotherm.models.vae.network.last_layer import LastLayer
from isotherm.models.vae.objective.anchors import ItemAnchors
from isotherm.models.vae.objective.masking import Bernoulli, Clean, PopularityAware, Scheduled
from isotherm.models.vae.objective.reconstruction import Multinomial, Shown, SquaredError
from isotherm.models.vae.objective.terms import SoftTargetTerm
from isotherm.models.vae.recvae import RecVAE
from isotherm.models.vae.training.settings import Training
from isotherm.parameters import build
from tests.models.vae.objective.forwards import N_ITEMS, N_USERS
from tests.models.vae.small import SMALL, tastes
from tests.reference import vae as reference

SHORT = Training(epochs=3, batch_size=60)


@pytest.fixture
def last():
    table = ItemTable(N_ITEMS, 5)
    table.fill(0.5, torch.Generator().manual_seed(0))
    return LastLayer(table, torch.linspace(-1, 1, N_ITEMS), torch.float32)


@pytest.fixture
def hidden():
    return torch.randn(N_USERS, 5, generator=torch.Generator().manual_seed(1))


def logits_of(hidden, last):
    return hidden @ last.table.weight.detach().T + last.bias


@pytest.mark.parametrize("power", [0.0, 0.7])
def test_squared_error_of_what_is_hidden(x, hidden, last, power):
    x = x * torch.linspace(0.5, 2, N_ITEMS)
    clicks = Batch.of(csr_array(x.numpy()))
    keep = torch.linspace(0, 1, N_ITEMS)  # the last item is always shown
    dense = torch.rand(x.shape, generator=torch.Generator().manual_seed(2)) < keep
    shown = Shown(keep, dense[clicks.rows, clicks.items])
    losses = SquaredError(unclicked_weight=0.3, user_power=power).of(hidden, last, clicks, shown, None)
    literal = reference.hidden_squared_error(logits_of(hidden, last), x, dense, keep, 0.3)
    torch.testing.assert_close(losses.reconstruction, literal / x.sum(1) ** power, rtol=1e-4, atol=1e-4)
    assert losses.soft_log_likelihood is None


def test_multinomial_is_of_all_clicks_and_of_soft_targets(x, hidden, last):
    clicks, soft = Batch.of(csr_array(x.numpy())), torch.flip(x, [1])
    shown = Shown(torch.full((N_ITEMS,), 0.5), torch.zeros(len(clicks.items), dtype=torch.bool))
    losses = Multinomial().of(hidden, last, clicks, shown, Batch.of(csr_array(soft.numpy())))
    literal = [reference.log_likelihood(logits_of(hidden, last), each) for each in (x, soft)]
    torch.testing.assert_close(losses.reconstruction, -literal[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(losses.soft_log_likelihood, literal[1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "mask", [Clean(), Bernoulli(keep=1), PopularityAware(keep=1), Scheduled(start=1, end=1), "none"]
)
def test_a_mask_that_hides_nothing_is_refused(mask):
    with pytest.raises(ParameterError, match=r"reconstruction=squared-error is of the clicks that the mask"):
        MultDAE(mask=mask, reconstruction="squared-error")
    assert MultDAE(mask=mask).mask.hides is False


def test_masks_that_hide_something_are_taken():
    for mask in (Bernoulli(keep="auto"), PopularityAware(), Scheduled()):
        assert MultVAE(mask=mask, reconstruction=SquaredError()).mask.hides


def test_soft_targets_are_refused():
    model = MultVAE(**SMALL, reconstruction=SquaredError())
    with pytest.raises(ParameterError, match=r"takes no soft targets; set reconstruction=multinomial"):
        model.fit_with_soft_targets(tastes(), SoftTargetTerm(0.5, lambda rows: csr_array((len(rows), 60))))
    with pytest.raises(ParameterError, match=r"set backbone\.reconstruction=multinomial"):
        MARec(backbone=model).fit(tastes(), isotherm.Items.from_frame(items_of(60)))


def items_of(n):
    import polars as pl

    return pl.DataFrame({"item_id": np.arange(n), "third": [[str(item % 3)] for item in range(n)]})


@pytest.mark.parametrize("made", [MultVAE, MultDAE, RecVAE])
def test_a_network_learns_from_what_is_hidden(made):
    """Each user's items come first, as with the multinomial likelihood."""
    training = Training(epochs=30, batch_size=60, valid_share=0.3, learning_rate=0.01)
    best = {
        loss: made(**SMALL, reconstruction=loss, training=training).fit(tastes()).progress_.best
        for loss in ("multinomial", "squared-error")
    }
    assert best["squared-error"] > 0.95 * best["multinomial"]


def test_the_linear_network_is_edlae():
    """Its scores are the closed form's (Steck 2020): EASE with a penalty that grows with the clicks."""
    clicks = tastes(n_users=400, n_items=12)
    x, keep = clicks.matrix.toarray().astype(float), 0.5
    gram = x.T @ x
    inverse = np.linalg.inv(gram + np.diag((1 - keep) / keep * np.diag(gram)))
    weights = np.eye(12) - inverse / np.diag(inverse)
    found = edlae_by_descent(x, keep)
    np.testing.assert_allclose(found, weights, atol=0.05)


def edlae_by_descent(x, keep, steps=3000):
    """B with a zero diagonal, by the loss of the network on masked rows; each step another mask."""
    n = x.shape[1]
    x = torch.from_numpy(x).float()
    table = ItemTable(n, n)
    table.weight.data.zero_()
    clicks = Batch.of(csr_array(x.numpy()))
    adam = torch.optim.Adam([table.weight], lr=0.01)
    schedule = torch.optim.lr_scheduler.LinearLR(adam, 1.0, 0.0, steps)
    generator, loss = torch.Generator().manual_seed(0), SquaredError(unclicked_weight=1.0, user_power=0.0)
    last = LastLayer(table, torch.zeros(n), torch.float32)
    for _ in range(steps):
        dense = torch.rand(x.shape, generator=generator) < keep
        shown = Shown(torch.full((n,), keep), dense[clicks.rows, clicks.items])
        adam.zero_grad()
        loss.of(x * dense / keep, last, clicks, shown, None).reconstruction.mean().backward()
        adam.step()
        schedule.step()
    weights = table.weight.detach().T.numpy().copy()
    np.fill_diagonal(weights, 0)  # what an item says of itself is seen on no target
    return weights


def test_settings_by_name_and_back(tmp_path):
    settings = {
        **SMALL, "reconstruction": "squared-error", "reconstruction.unclicked_weight": 0.5,
        "reconstruction.user_power": 0, "hidden": 0, "activation": "gelu", "training": SHORT,
        "anchors": ItemAnchors(weight=0.1),
    }  # fmt: skip
    model = build(MultDAE, settings).fit(tastes())
    assert "reconstruction=SquaredError(unclicked_weight=0.5, user_power=0.0)" in repr(model)
    model.save(tmp_path / "m")
    loaded = isotherm.load(tmp_path / "m")
    assert repr(loaded) == repr(model)
    assert loaded.recommend(k=3).equals(model.recommend(k=3))
    assert model.anchors_.shape == (60, SMALL["latent"])
    assert model.posterior(model.clicks_)[0].shape == (240, SMALL["latent"])


def test_a_finished_run_of_the_same_settings_is_taken_up(tmp_path):
    """And one of another loss is refused."""
    options = FitOptions(run_dir=tmp_path / "run")
    settings = {**SMALL, "training": Training(epochs=3, batch_size=60, average=0.9, valid_share=0)}
    first = MultDAE(**settings, reconstruction="squared-error").fit(tastes(), options=options)
    again = MultDAE(**settings, reconstruction="squared-error").fit(tastes(), options=options)
    np.testing.assert_array_equal(again.score(first.clicks_), first.score(first.clicks_))
    with pytest.raises(isotherm.errors.TrainingError, match="reconstruction"):
        MultDAE(**settings).fit(tastes(), options=options)


def test_large_catalogues_are_sampled():
    training = {"epochs": 30, "batch_size": 60, "valid_share": 0.3, "learning_rate": 0.01}

    def best(**sampled):
        model = MultDAE(**SMALL, reconstruction="squared-error", training=Training(**training, **sampled))
        return model.fit(tastes()).progress_.best

    assert best(softmax_sample=20) > 0.9 * best()
