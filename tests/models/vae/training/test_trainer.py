"""The training loop: resume after a kill, determinism, early stopping, a loss that breaks, two processes."""

import json
import os
import signal
import socket
import sys
import time
from copy import deepcopy
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from scipy.sparse import csr_array

from isotherm import FitOptions, Interactions, Items
from isotherm.errors import ParameterError, TrainingError
from isotherm.models.vae.multdae import MultDAE
from isotherm.models.vae.multvae import MultVAE
from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.layers import normalised
from isotherm.models.vae.objective.anchors import ItemAnchors
from isotherm.models.vae.objective.beta import Constant
from isotherm.models.vae.objective.ease_term import EASETerm
from isotherm.models.vae.objective.masking import Mask, PopularityAware
from isotherm.models.vae.objective.terms import Reconstruction
from isotherm.models.vae.recvae import RecVAE
from isotherm.models.vae.training.interrupt import waiting_interrupt
from isotherm.models.vae.training.optimizer import Optimizer
from isotherm.models.vae.training.settings import Training
from isotherm.models.vae.training.trainer import Trainer
from isotherm.models.vae.training.validation import Validation, folded, held_out
from tests.conftest import random_clicks

SMALL = {"hidden": 24, "latent": 8}


def tastes(n_users=240, n_items=60, seed=0):
    """Three groups of users, each with a third of the items as its own."""
    rng = np.random.default_rng(seed)
    own = np.equal.outer(np.arange(n_users) % 3, np.arange(n_items) % 3)
    x = rng.random((n_users, n_items)) < np.where(own, 0.4, 0.03)
    x[:, 0] = True
    return Interactions.from_csr(x.astype(np.float32))


def log_of(folder):
    return [json.loads(line) for line in (folder / "run.jsonl").read_text().splitlines()]


SCRIPT = """
import sys
from isotherm import FitOptions
from tests.models.vae.training.test_trainer import killable, tastes
killable(sys.argv[1], checkpoint_minutes=0).fit(tastes(), options=FitOptions(run_dir=sys.argv[2]))
"""


def killable(kind, **training):
    """One long enough fit, the same in every process."""
    made, epochs = {"multvae": (MultVAE, 24), "recvae": (RecVAE, 9)}[kind]
    training = Training(epochs=epochs, batch_size=60, valid_share=0.3, **training)
    return made(**SMALL, anchors=ItemAnchors(weight=0.1), seed=3, training=training)


@pytest.mark.parametrize("kind", ["multvae", "recvae"])
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


def test_a_finished_run_is_not_trained_again(tmp_path):
    first = MultVAE(**SMALL, training=Training(epochs=3)).fit(
        tastes(), options=FitOptions(run_dir=tmp_path / "run")
    )
    before = log_of(tmp_path / "run")
    again = MultVAE(**SMALL, training=Training(epochs=3)).fit(
        tastes(), options=FitOptions(run_dir=tmp_path / "run")
    )
    assert again.recommend(k=5).equals(first.recommend(k=5))
    new = log_of(tmp_path / "run")[len(before) :]
    assert [line["event"] for line in new] == ["resume", "end"]


def test_a_run_folder_of_another_fit_or_a_damaged_one_is_refused(tmp_path):
    run = tmp_path / "run"
    MultVAE(**SMALL, training=Training(epochs=2)).fit(tastes(), options=FitOptions(run_dir=run))
    for other, clicks, differ in (
        (MultVAE(**SMALL, seed=1, training=Training(epochs=2)), tastes(), "seed"),
        (MultVAE(**SMALL, training=Training(epochs=3)), tastes(), "training.epochs"),
        (MultVAE(**SMALL, training=Training(epochs=2)), tastes(seed=1), "clicks"),
    ):
        with pytest.raises(TrainingError, match=f"holds a run of another fit: {differ} differ; name another"):
            other.fit(clicks, options=FitOptions(run_dir=run))
    file = next(run.glob("checkpoint-*.safetensors"))
    file.write_bytes(file.read_bytes()[:-3] + b"abc")
    with pytest.raises(TrainingError, match=r"damaged \(its content changed\); remove the folder"):
        MultVAE(**SMALL, training=Training(epochs=2)).fit(tastes(), options=FitOptions(run_dir=run))
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="is a file"):
        MultVAE(**SMALL).fit(tastes(), options=FitOptions(run_dir=tmp_path / "file"))


def test_a_run_folder_belongs_to_all_that_training_reads(tmp_path, clicks, items):
    """Whatever differs, a network that was trained on something else is never the answer."""
    dated = replace(clicks, timestamps=pl.Series(np.arange(clicks.n_clicks)))
    read = {"init": "metadata", "weighting": "recency"}

    def fit(clicks=dated, items=items, valid=None, **settings):
        settings = {"anchors": ItemAnchors(weight=1.0, **read), "training": Training(epochs=1), **settings}
        return MultVAE(**SMALL, **settings).fit(clicks, items, FitOptions(valid, tmp_path / "run"))

    first = fit().recommend(k=5)
    other = Items.from_frame(pl.DataFrame({"item_id": items.ids.values, "genres": ["a", "b"] * 15}))
    strangers = Interactions.from_csr(clicks.matrix, [f"new{n}" for n in range(60)], clicks.items.values)
    for differ, changes in {
        "timestamps": {"clicks": replace(clicks, timestamps=pl.Series(np.arange(clicks.n_clicks) ** 2))},
        "clicks": {"clicks": replace(dated, matrix=dated.matrix * np.float32(2))},
        "clicks, metadata": {"items": items.take(np.arange(27))},
        "metadata": {"items": other},
        "validation clicks": {"valid": strangers},
        "seed": {"seed": 1},
        "mask, mask.keep, mask.power": {"mask": PopularityAware(keep=0.4)},
        "beta, beta.value, beta.cap, beta.epochs": {"beta": Constant()},
        "anchors.scale": {"anchors": ItemAnchors(weight=1.0, scale=0.2, **read)},
        "training.epochs": {"training": Training(epochs=2)},
        "training.precision": {"training": Training(epochs=1, precision="float32")},
    }.items():
        with pytest.raises(TrainingError) as refused:
            fit(**changes)
        assert f"holds a run of another fit: {differ} differ; name another" in str(refused.value)
    assert fit(training=Training(epochs=1, checkpoint_minutes=1)).recommend(k=5).equals(first)


def test_a_run_folder_of_another_version_is_refused(tmp_path, monkeypatch):
    model = MultVAE(**SMALL, training=Training(epochs=1)).fit(
        tastes(), options=FitOptions(run_dir=tmp_path / "run")
    )
    monkeypatch.setattr("isotherm.models.vae.training.run_folder.__version__", "99.0")
    with pytest.raises(TrainingError, match="another fit: isotherm differ"):
        model.fit(tastes(), options=FitOptions(run_dir=tmp_path / "run"))


def test_a_folder_of_a_users_own_is_no_run_folder(tmp_path):
    mine = tmp_path / "checkpoint-best.safetensors"
    mine.write_text("mine")
    with pytest.raises(TrainingError, match="is not empty and holds no training run"):
        MultVAE(**SMALL).fit(tastes(), options=FitOptions(run_dir=tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == [mine.name]
    mine.unlink()
    MultVAE(**SMALL, training=Training(epochs=1)).fit(tastes(), options=FitOptions(run_dir=tmp_path))
    names = ("checkpoint-0123456789abcdef.safetensors", "notes.txt", ".mine.part")
    for name in names:
        (tmp_path / name).write_text("mine")
    MultVAE(**SMALL, training=Training(epochs=1)).fit(tastes(), options=FitOptions(run_dir=tmp_path))
    assert all((tmp_path / name).read_text() == "mine" for name in names)


@pytest.mark.parametrize("made", [MultVAE, RecVAE])
def test_ctrl_c_waits_for_the_step_and_the_run_goes_on(made, tmp_path, monkeypatch):
    """Pressed in the middle of a step: the checkpoint is of its end, and the run ends as if nothing was."""
    model = made(**SMALL, anchors=ItemAnchors(weight=0.1), training=Training(epochs=3, batch_size=60))
    whole = deepcopy(model).fit(tastes()).state()[0]
    original, steps = Optimizer.step, []

    def pressed(self, *arguments):
        steps.append(1)
        if len(steps) == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, *arguments)

    monkeypatch.setattr(Optimizer, "step", pressed)
    with pytest.raises(KeyboardInterrupt):
        model.fit(tastes(), options=FitOptions(run_dir=tmp_path / "run"))
    assert len(steps) == 6
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    model.fit(tastes(), options=FitOptions(run_dir=tmp_path / "run"))
    for name, array in model.state()[0].items():
        np.testing.assert_array_equal(array, whole[name], err_msg=name)
    before = ["epoch"] if made is MultVAE else []  # of four batches, and of sixteen
    assert [line["event"] for line in log_of(tmp_path / "run")] == [
        "start", *before, "stop", "resume", *["epoch"] * (3 - len(before)), "end",
    ]  # fmt: skip


def test_a_second_ctrl_c_does_not_wait():
    with waiting_interrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_handler_of_the_programs_own_stays():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with waiting_interrupt():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


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


def test_click_weights_of_any_size_are_normalised():
    def unit(size):
        return normalised(Batch.of(tastes().matrix * np.float32(size))).values

    for size in (1e-44, 1e-30, 1e30, 1e38):
        torch.testing.assert_close(unit(size), unit(1.0))
    for size in (1e-14, 1e14):
        weighted = Interactions.from_csr(tastes().matrix * np.float32(size))
        model = MultVAE(**SMALL, training=Training(epochs=2)).fit(weighted)
        assert np.isfinite(model.score(weighted.matrix)).all()


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


def test_the_log_tells_each_epoch(tmp_path):
    model = MultVAE(**SMALL, anchors=ItemAnchors(weight=0.1), training=Training(epochs=4, valid_share=0.3))
    model.fit(tastes(), options=FitOptions(run_dir=tmp_path / "run"))
    lines = log_of(tmp_path / "run")
    assert [line["event"] for line in lines] == ["start", "epoch", "epoch", "epoch", "epoch", "end"]
    assert lines[0]["users"] == 240 - 72
    assert lines[0]["precision"] in ("bfloat16", "float32")
    for line in lines[1:5]:
        assert {"loss", "reconstruction", "kl", "anchor", "ndcg@100", "users_per_second"} <= set(line)
    first, last = lines[1], lines[4]
    assert last["reconstruction"] < first["reconstruction"]
    total = last["reconstruction"] + 0.1 * last["anchor"]
    assert total <= last["loss"] <= total + 0.2 * last["kl"]
    assert lines[5]["best"] == model.progress_.best


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


def test_given_validation_clicks_are_used():
    clicks = tastes()
    rng = np.random.default_rng(0)
    hidden = (rng.random(clicks.n_clicks) < 0.2) & (clicks.click_users() < 100)
    made = Validation.given(clicks.keep(~hidden), clicks.keep(hidden), 0)
    assert made.histories.shape[0] == len(set(clicks.click_users()[hidden]))
    assert made.targets.nnz == hidden.sum()
    new = Interactions.from_csr(clicks.matrix[:30], [f"new{n}" for n in range(30)])
    apart = Interactions.from_csr(clicks.matrix[30:], [f"old{n}" for n in range(210)])
    fresh = Validation.given(apart, new, 0)
    assert fresh.histories.shape[0] == 30
    assert fresh.histories.nnz + fresh.targets.nnz == new.n_clicks
    overlap = fresh.histories.multiply(fresh.targets)
    assert not overlap.nnz
    assert 0.7 < fresh.histories.nnz / new.n_clicks < 0.9
    model = MultVAE(**SMALL, training=Training(epochs=5)).fit(apart, options=FitOptions(valid=new))
    assert model.progress_.best == max(0.0, model.progress_.best) > 0
    assert len(model.users_) == 210
    strange = Interactions.from_csr(clicks.matrix[:3], ["a", "b", "c"], np.arange(1000, 1060))
    with pytest.raises(ParameterError, match="60 items of the validation clicks are unknown to fit"):
        MultVAE(**SMALL).fit(apart, options=FitOptions(valid=strange))


def test_few_users_are_not_held_out():
    stays, validation = held_out(tastes().matrix, 0.05, 0)
    assert stays.all()
    assert validation is None
    stays, validation = held_out(tastes().matrix, 0.3, 0)
    assert (~stays).sum() == validation.histories.shape[0] == 72


def test_folding_leaves_each_user_a_history():
    matrix = tastes().matrix
    histories, targets = folded(matrix, 0)
    assert (np.diff(histories.indptr) >= 1).all()
    np.testing.assert_array_equal((histories + targets).toarray(), matrix.toarray())


def test_a_loss_that_breaks_stops_with_the_batch_the_term_and_the_cure(tmp_path, monkeypatch):
    calls = []

    def broken(self, forward):
        calls.append(1)
        return -forward.log_likelihoods[:, 0] * (torch.nan if len(calls) == 7 else 1.0)

    monkeypatch.setattr(Reconstruction, "__call__", broken)
    model = MultVAE(**SMALL, training=Training(epochs=9, batch_size=60))
    with pytest.raises(
        TrainingError, match=r"epoch 2, batch 3 \(users at rows .*reconstruction is nan; lower "
    ):
        model.fit(tastes(), options=FitOptions(run_dir=tmp_path / "run"))
    with pytest.raises(Exception, match="not fitted"):
        model.recommend()


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


def test_two_processes_train_as_one(tmp_path, forks):
    """Launched as torch's launcher does, gradients summed: the same weights up to rounding, and one log."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        place = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(free.getsockname()[1])}
    told = [tmp_path / "first.txt", tmp_path / "second.txt"]
    both = [
        forks.start(tmp_path, code=JOB, env={**place, "RANK": str(rank), "LOCAL_RANK": str(rank)}, out=out)
        for rank, out in enumerate(told)
    ]
    assert [process.wait() for process in both] == [0, 0], "".join(out.read_text()[-2000:] for out in told)
    import isotherm

    two, one = isotherm.load(tmp_path / "model"), distributed_model().fit(tastes())
    np.testing.assert_allclose(two.score(one.clicks_), one.score(one.clicks_), rtol=0.01, atol=0.01)
    lines = log_of(tmp_path / "run")
    assert lines[0]["processes"] == 2
    assert sum(line["event"] == "epoch" for line in lines) == 4


JOB = """
import os, sys
from isotherm import FitOptions
from tests.models.vae.training.test_trainer import distributed_model, tastes
model = distributed_model().fit(tastes(), options=FitOptions(run_dir=f"{sys.argv[1]}/run"))
if os.environ["RANK"] == "0":
    model.save(f"{sys.argv[1]}/model")
"""


def distributed_model():
    settings = {"epochs": 4, "batch_size": 60, "valid_share": 0.3}
    training = Training(**settings, precision="float32", clip=1e9, device="cpu")
    return MultVAE(**SMALL, anchors=ItemAnchors(weight=0.1), training=training)


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


def test_a_batch_of_random_clicks_keeps_its_order():
    batch = Batch.of(Interactions.from_csr(random_clicks(np.random.default_rng(0), 9, 12)).matrix)
    starts, users, _ = batch.by_item
    assert set(np.flatnonzero(np.diff(starts))) == set(batch.items.tolist())
    pairs = [(i, int(u)) for i in range(batch.n_items) for u in users[starts[i] : starts[i + 1]]]
    assert pairs == sorted(pairs)
    assert set(pairs) == set(zip(batch.items.tolist(), batch.rows.tolist(), strict=True))


def test_validation_hides_what_was_seen():
    """A score that puts the history first must not push the targets down."""
    x = csr_array(np.eye(4, 8, dtype=np.float32))
    targets = csr_array(np.eye(4, 8, k=4, dtype=np.float32))
    scores = (10 * x + targets).toarray()
    assert Validation(x, targets).measure(lambda block: scores.copy(), "ndcg", 1) == 1.0


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


def test_tensorboard_must_be_installed_where_it_is_wanted(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    model = MultVAE(**SMALL, training=Training(epochs=1, tensorboard=True))
    with pytest.raises(ParameterError, match="needs the package tensorboard"):
        model.fit(tastes(), options=FitOptions(run_dir=tmp_path / "run"))


def test_validation_clicks_that_are_training_clicks_are_left_out(caplog):
    """As targets they are hidden as seen: the metric would be exactly 0, and the EASE term switched off."""
    clicks = tastes()
    hidden = (np.random.default_rng(0).random(clicks.n_clicks) < 0.2) & (clicks.click_users() < 100)
    train, kept_apart = clicks.keep(~hidden), clicks.keep(hidden)
    expected = Validation.given(train, kept_apart, 0)
    assert not caplog.text
    found = Validation.given(train, clicks, 0)  # all clicks: the training ones among them
    assert f"{train.n_clicks} of {clicks.n_clicks} validation clicks are training clicks too" in caplog.text
    np.testing.assert_array_equal(found.targets.toarray(), expected.targets.toarray())
    np.testing.assert_array_equal(found.histories.toarray(), expected.histories.toarray())
    model = MultVAE(**SMALL, ease_term=EASETerm(), training=Training(epochs=2)).fit(
        train, options=FitOptions(valid=clicks)
    )
    assert model.progress_.best > 0
    assert model.ease_term_.scale > 0


def test_validation_with_nothing_to_find_is_refused():
    clicks = tastes()
    for valid in (
        clicks,
        clicks.keep(np.zeros(clicks.n_clicks, bool)),
        clicks.keep(clicks.click_users() == 3),
    ):
        with pytest.raises(
            ParameterError, match="no user has a history and a click to find that is no training"
        ):
            MultVAE(**SMALL, training=Training(epochs=1)).fit(clicks, options=FitOptions(valid=valid))
    with pytest.raises(ParameterError, match="valid must be Interactions, not ndarray"):
        MultVAE(**SMALL).fit(clicks, options=FitOptions(valid=np.ones(3)))
