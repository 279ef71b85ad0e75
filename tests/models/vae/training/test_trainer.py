"""The training loop: resume after a kill, determinism, early stopping, masks, alternating phases."""

import json
import signal
import time

import numpy as np
import pytest
import torch

from isotherm import FitOptions, Interactions
from isotherm.errors import ParameterError, TrainingError
from isotherm.models.vae.multdae import MultDAE
from isotherm.models.vae.multvae import MultVAE
from isotherm.models.vae.objective.anchors import ItemAnchors
from isotherm.models.vae.objective.masking import Mask, PopularityAware
from isotherm.models.vae.objective.terms import Reconstruction
from isotherm.models.vae.recvae import RecVAE
from isotherm.models.vae.training.settings import Training
from isotherm.models.vae.training.trainer import Trainer
from isotherm.models.vae.training.validation import held_out
from tests.models.vae.small import SMALL, log_of, tastes

SCRIPT = """
import sys
from isotherm import FitOptions
from tests.models.vae.small import tastes
from tests.models.vae.training.test_trainer import killable
killable(sys.argv[1], checkpoint_minutes=0).fit(tastes(), options=FitOptions(run_dir=sys.argv[2]))
"""


def killable(kind, **training):
    """One long enough fit, the same in every process."""
    made, epochs = {"multvae": (MultVAE, 24), "recvae": (RecVAE, 9), "multdae": (MultDAE, 24)}[kind]
    others = {"average": 0.9} if kind == "multdae" else {}
    training = Training(epochs=epochs, batch_size=60, valid_share=0.3, **training, **others)
    loss = "squared-error" if kind == "multdae" else "multinomial"
    return made(**SMALL, reconstruction=loss, anchors=ItemAnchors(weight=0.1), seed=3, training=training)


@pytest.mark.parametrize("kind", ["multvae", "multdae", "recvae"])
def test_a_killed_run_ends_as_the_one_that_was_not(kind, tmp_path, forks):
    """And while it runs, no other run may write to its folder; what the kill left behind is cleared."""
    whole, resumed = killable(kind).fit(tastes()), killable(kind)
    folder = tmp_path / "killed"
    process = forks.start(kind, folder, code=SCRIPT)
    deadline, manifest = time.monotonic() + 120, folder / "checkpoint.json"
    while time.monotonic() < deadline:
        if manifest.is_file() and json.loads(manifest.read_text()).get("progress", {}).get("epoch", 0) >= 2:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(TrainingError, match="another training is at work in this folder; wait for it"):
        resumed.fit(tastes(), options=FitOptions(run_dir=folder))
    process.send_signal(signal.SIGKILL)
    process.wait()
    (folder / ".checkpoint.0123abcd.part").write_bytes(b"half a checkpoint")
    at = json.loads(manifest.read_text())["progress"]
    assert 2 <= at["epoch"] < resumed.training.epochs, "the run must be cut in its middle"
    resumed.fit(tastes(), options=FitOptions(run_dir=folder))
    assert resumed.progress_.best == whole.progress_.best
    assert resumed.progress_.best_epoch == whole.progress_.best_epoch
    for name, array in whole.state()[0].items():
        np.testing.assert_array_equal(resumed.state()[0][name], array, err_msg=name)
    events = [line["event"] for line in log_of(folder)]
    assert events.count("start") == events.count("resume") == 1
    assert events[-1] == "end"
    files = {file.name.split("-")[0] for file in folder.iterdir()}
    assert files == {"checkpoint", "checkpoint.json", "run.jsonl"}


@pytest.mark.parametrize("chances", [torch.tensor(0.5), torch.full((60,), 1.5), torch.full((60,), torch.nan)])
def test_a_mask_that_gives_no_chances_is_refused(chances):
    class Odd(Mask):
        name = "odd"

        def keep_probability(self, item_clicks, epoch):
            return chances

    with pytest.raises(
        ParameterError, match=r"mask Odd\(\): gives no chance in \[0, 1\] for each of 60 items"
    ):
        MultVAE(**SMALL, mask=Odd()).fit(tastes())


def test_few_users_and_large_batches_are_trained():
    one = Interactions.from_csr(tastes().matrix[:1])
    for made in (MultVAE, MultDAE, RecVAE):
        model = made(**SMALL, training=Training(epochs=2, batch_size=10_000)).fit(one)
        assert model.progress_.epoch == 2
        assert np.isfinite(model.score(one.matrix)).all()
    with pytest.raises(ParameterError, match=r"valid_share=0.999 leaves no user to train on"):
        MultVAE(**SMALL, training=Training(valid_share=0.999)).fit(tastes())


@pytest.mark.parametrize("made", [MultVAE, MultDAE, RecVAE])
def test_same_seed_same_bits_and_another_seed_another_model(made):
    def scores(seed):
        model = made(**SMALL, seed=seed, training=Training(epochs=3, batch_size=50)).fit(tastes())
        return model.score(model.clicks_)

    np.testing.assert_array_equal(scores(1), scores(1))
    assert not np.array_equal(scores(1), scores(2))


def test_the_plain_path_learns_the_same():
    """With clipping the whole gradient is kept and torch's Adam steps; a huge bound clips nothing."""
    settings = {"epochs": 5, "batch_size": 60, "valid_share": 0.3}
    for made in (MultVAE, RecVAE):
        anchors = ItemAnchors(weight=0.1)
        placed = made(**SMALL, anchors=anchors, training=Training(**settings)).fit(tastes())
        plain = made(**SMALL, anchors=anchors, training=Training(**settings, clip=1e9)).fit(tastes())
        assert plain.progress_.best == pytest.approx(placed.progress_.best, abs=0.03)
        ours, theirs = placed.score(placed.clicks_), plain.score(plain.clicks_)
        assert np.abs(ours - theirs).mean() < 0.03 * ours.std()


def test_precisions_agree():
    def best(precision):
        training = Training(epochs=30, batch_size=60, valid_share=0.3, precision=precision)
        return MultVAE(**SMALL, training=training).fit(tastes()).progress_.best

    assert best("bfloat16") == pytest.approx(best("float32"), abs=0.03)


def test_early_stopping_keeps_the_best_network():
    model = MultVAE(**SMALL, training=Training(epochs=300, learning_rate=0.01, patience=5, valid_share=0.3))
    model.fit(tastes())
    p = model.progress_
    assert p.stopped
    assert p.epoch == p.best_epoch + 5
    _, validation = held_out(model.clicks_, 0.3, 0)
    assert validation.measure(model.score, "ndcg", 100) == p.best


def test_masking_is_what_the_encoder_sees(monkeypatch):
    """Over many steps the inputs' mean is the normalised clean vector, and targets are clean."""
    seen, clean = [], []
    original = Reconstruction.__call__

    def spy(self, forward):
        dense = torch.zeros(len(forward.z), forward.clicks.n_items)
        inputs = forward.inputs.to("cpu")
        dense[inputs.rows, inputs.items] = inputs.values
        order = torch.arange(len(forward.z))
        seen.append(dense[order])
        clean.append(forward.clicks)
        return original(self, forward)

    monkeypatch.setattr(Reconstruction, "__call__", spy)
    rows = (np.random.default_rng(0).random((1, 40)) < 0.5).astype(np.float32)
    clicks = Interactions.from_csr(np.repeat(rows, 200, axis=0))
    mask = PopularityAware(keep=0.6, power=0.3)
    MultVAE(**SMALL, mask=mask, training=Training(epochs=20, batch_size=200)).fit(clicks)
    mean = torch.cat(seen).mean(0)
    torch.testing.assert_close(mean, torch.from_numpy(rows[0] / np.linalg.norm(rows)), rtol=0.1, atol=1e-6)
    kept = (torch.cat(seen) > 0).float().mean(0)[rows[0] > 0].mean()
    assert kept == pytest.approx(0.6, abs=0.02)
    assert all(int(batch.lengths.min()) == rows.sum() for batch in clean)


def test_large_catalogue_is_sampled_and_learns():
    assert Training().sampled(100_000) == 0
    assert Training().sampled(100_001) > 0
    assert Training(softmax_sample=50).sampled(40) == 0
    settings = {"epochs": 40, "batch_size": 60, "valid_share": 0.3, "learning_rate": 0.005}
    full = MultVAE(**SMALL, training=Training(**settings)).fit(tastes()).progress_.best
    part = MultVAE(**SMALL, training=Training(**settings, softmax_sample=20)).fit(tastes()).progress_.best
    assert part == pytest.approx(full, abs=0.1)


def test_clicks_may_lie_on_disk(tmp_path):
    """A stored log trains as one in memory, and is not read whole."""
    clicks = tastes()
    clicks.store(tmp_path / "log")
    stored = Interactions.open(tmp_path / "log")
    for part in (stored.matrix.indices, stored.matrix.data):
        while not isinstance(part, np.memmap):
            part = part.base
    model = MultVAE(**SMALL, anchors=ItemAnchors(weight=0.1), training=Training(epochs=3))
    expected = model.fit(clicks).score(clicks.matrix)
    again = MultVAE(**SMALL, anchors=ItemAnchors(weight=0.1), training=Training(epochs=3)).fit(stored)
    np.testing.assert_array_equal(again.score(clicks.matrix), expected)
    assert again.clicks_ is stored.matrix


def test_recvae_trains_encoder_and_decoder_in_turns(monkeypatch):
    """Phase by phase: what is held does not move, what learns does; the old encoder is the last one's."""
    moves, before = [], {}
    original = Trainer.step

    def spy(self, phase, rows, keep, epoch):
        network = self.setup.network
        before.update({name: array.clone() for name, array in network.state_dict().items()})
        original(self, phase, rows, keep, epoch)
        moved = {name for name, array in network.state_dict().items() if not torch.equal(array, before[name])}
        moves.append((phase.learns, phase.mask is not None, moved))
        if phase.learns == "decoder":
            old = self.setup.modules["old"].state_dict()
            assert all(torch.equal(old[name], before[name]) for name in old if not name.startswith("last"))

    monkeypatch.setattr(Trainer, "step", spy)
    RecVAE(**SMALL, training=Training(epochs=2)).fit(tastes())
    assert [(learns, masked) for learns, masked, _ in moves] == 2 * (
        3 * [("encoder", True)] + [("decoder", False)]
    )
    for learns, _, moved in moves:
        last = {"last.weight", "last_bias"}
        assert moved == last if learns == "decoder" else (moved and not moved & last)


def test_items_of_one_taste_are_similar():
    training = Training(epochs=60, learning_rate=0.01)
    near = MultVAE(**SMALL, training=training).fit(tastes()).similar_items(7, k=5)
    assert all(item % 3 == 1 for item in near["item_id"])
    assert near["score"].is_between(-1, 1.001).all()
