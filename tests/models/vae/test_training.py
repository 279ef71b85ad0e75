"""The training loop: resume after a kill, determinism, early stopping, a loss that breaks, two processes."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from isotherm import Interactions
from isotherm.errors import ParameterError, TrainingError
from isotherm.models.vae.anchors import ItemAnchors
from isotherm.models.vae.batch import Batch
from isotherm.models.vae.masking import PopularityAware
from isotherm.models.vae.multdae import MultDAE
from isotherm.models.vae.multvae import MultVAE
from isotherm.models.vae.objective import Reconstruction
from isotherm.models.vae.recvae import RecVAE
from isotherm.models.vae.settings import Training
from isotherm.models.vae.skip import EASESkip
from isotherm.models.vae.training import Trainer
from isotherm.models.vae.validation import Validation, folded, held_out
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
from tests.models.vae.test_training import killable
killable(sys.argv[1], sys.argv[2]).fit_and_save()
"""


class killable:
    """One long enough fit, the same in every process."""

    def __init__(self, kind, run, out=None):
        self.run, self.out = run, out
        settings = {"training": Training(epochs=40, batch_size=60, checkpoint_minutes=0, valid_share=0.3)}
        anchors = ItemAnchors(weight=0.1)
        made = {"multvae": MultVAE, "recvae": RecVAE}[kind]
        self.model = made(**SMALL, anchors=anchors, seed=3, **settings)

    def fit_and_save(self):
        self.model.fit(tastes(), run=self.run)
        return self.model


@pytest.mark.parametrize("kind", ["multvae", "recvae"])
def test_a_killed_run_ends_as_the_one_that_was_not(kind, tmp_path):
    whole = killable(kind, tmp_path / "whole").fit_and_save()
    folder = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, kind, str(folder)], env=dict(os.environ))
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        manifest = folder / "checkpoint.json"
        if (
            manifest.is_file()
            and json.loads(manifest.read_text()).get("progress", {"epoch": 0})["epoch"] >= 3
        ):
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    at = json.loads((folder / "checkpoint.json").read_text())["progress"]
    assert 3 <= at["epoch"] < 40, "the run must be cut in its middle"
    resumed = killable(kind, folder).fit_and_save()
    assert resumed.progress_.best == whole.progress_.best
    assert resumed.progress_.best_epoch == whole.progress_.best_epoch
    for name, array in whole.state()[0].items():
        np.testing.assert_array_equal(resumed.state()[0][name], array, err_msg=name)
    events = [line["event"] for line in log_of(folder)]
    assert events.count("resume") == 1
    assert events[-1] == "end"


def test_a_finished_run_is_not_trained_again(tmp_path):
    first = MultVAE(**SMALL, training=Training(epochs=3)).fit(tastes(), run=tmp_path / "run")
    before = log_of(tmp_path / "run")
    again = MultVAE(**SMALL, training=Training(epochs=3)).fit(tastes(), run=tmp_path / "run")
    assert again.recommend(k=5).equals(first.recommend(k=5))
    new = log_of(tmp_path / "run")[len(before) :]
    assert [line["event"] for line in new] == ["resume", "end"]


def test_a_run_folder_of_another_fit_or_a_damaged_one_is_refused(tmp_path):
    run = tmp_path / "run"
    MultVAE(**SMALL, training=Training(epochs=2)).fit(tastes(), run=run)
    for other, clicks, differ in (
        (MultVAE(**SMALL, seed=1, training=Training(epochs=2)), tastes(), "seed"),
        (MultVAE(**SMALL, training=Training(epochs=3)), tastes(), "training.epochs"),
        (MultVAE(**SMALL, training=Training(epochs=2)), tastes(seed=1), "clicks"),
    ):
        with pytest.raises(TrainingError, match=f"holds a run of another fit: {differ} differ; name another"):
            other.fit(clicks, run=run)
    file = next(run.glob("checkpoint-*.safetensors"))
    file.write_bytes(file.read_bytes()[:-3] + b"abc")
    with pytest.raises(TrainingError, match=r"damaged \(its content changed\); remove the folder"):
        MultVAE(**SMALL, training=Training(epochs=2)).fit(tastes(), run=run)
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="is a file"):
        MultVAE(**SMALL).fit(tastes(), run=tmp_path / "file")


def test_the_log_tells_each_epoch(tmp_path):
    model = MultVAE(**SMALL, anchors=ItemAnchors(weight=0.1), training=Training(epochs=4, valid_share=0.3))
    model.fit(tastes(), run=tmp_path / "run")
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
    model = MultVAE(**SMALL, training=Training(epochs=5)).fit(apart, valid=new)
    assert model.progress_.best == max(0.0, model.progress_.best) > 0
    assert len(model.users_) == 210
    strange = Interactions.from_csr(clicks.matrix[:3], ["a", "b", "c"], np.arange(1000, 1060))
    with pytest.raises(ParameterError, match="60 items of the validation clicks are unknown to fit"):
        MultVAE(**SMALL).fit(apart, valid=strange)


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
        model.fit(tastes(), run=tmp_path / "run")
    with pytest.raises(Exception, match="not fitted"):
        model.recommend()


def test_masking_is_what_the_encoder_sees(monkeypatch):
    """Over many steps the inputs' mean is the normalised clean vector, and targets are clean."""
    seen, clean = [], []
    original = Reconstruction.__call__

    def spy(self, forward):
        dense = torch.zeros(len(forward.z), forward.clicks.n_items)
        dense[forward.inputs.rows, forward.inputs.items] = forward.inputs.values
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


def test_two_processes_train_as_one(tmp_path):
    """torch's launcher, gradients summed: the same weights up to rounding, and one log."""
    code = tmp_path / "job.py"
    code.write_text(
        "import os\n"
        "from tests.models.vae.test_training import distributed_model, tastes\n"
        f"model = distributed_model().fit(tastes(), run={str(tmp_path / 'run')!r})\n"
        "if os.environ['RANK'] == '0':\n"
        f"    model.save({str(tmp_path / 'model')!r})\n"
    )
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        str(code),
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path])}
    done = subprocess.run(launcher, capture_output=True, text=True, timeout=240, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    import isotherm

    two, one = isotherm.load(tmp_path / "model"), distributed_model().fit(tastes())
    np.testing.assert_allclose(two.score(one.clicks_), one.score(one.clicks_), rtol=0.01, atol=0.01)
    lines = log_of(tmp_path / "run")
    assert lines[0]["processes"] == 2
    assert sum(line["event"] == "epoch" for line in lines) == 4


def distributed_model():
    training = Training(epochs=4, batch_size=60, valid_share=0.3, precision="float32", clip=1e9)
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
    items, starts, users, _ = batch.by_item
    assert list(items) == sorted(set(batch.items.tolist()))
    pairs = {(int(i), int(u)) for i, a, b in zip(items, starts, starts[1:], strict=False) for u in users[a:b]}
    assert pairs == set(zip(batch.items.tolist(), batch.rows.tolist(), strict=True))


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

    def spy(self, phase, rows, keep, moment):
        network = self.network
        before.update({name: array.clone() for name, array in network.state_dict().items()})
        original(self, phase, rows, keep, moment)
        moved = {name for name, array in network.state_dict().items() if not torch.equal(array, before[name])}
        moves.append((phase.learns, phase.masked, moved))
        if phase.learns == "decoder":
            old = self.beside["old"].state_dict()
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
        model.fit(tastes(), run=tmp_path / "run")


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
    model = MultVAE(**SMALL, skip=EASESkip(), training=Training(epochs=2)).fit(train, valid=clicks)
    assert model.progress_.best > 0
    assert model.skip_.scale > 0


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
            MultVAE(**SMALL, training=Training(epochs=1)).fit(clicks, valid=valid)
    with pytest.raises(ParameterError, match="valid must be Interactions, not ndarray"):
        MultVAE(**SMALL).fit(clicks, valid=np.ones(3))
