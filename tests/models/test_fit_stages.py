"""Every fit tells its stages: as many as it says, each counted to its end."""

import polars as pl
import pytest

from isotherm import EASE, MARec, MultVAE, Training, progress
from isotherm.data import Interactions
from isotherm.models.vae.objective.ease_term import EASETerm
from tests.models.test_contract import MODELS, made


class Recorder:
    """Keeps the stages that are over, and how deep within others each was."""

    shows_notes = False

    def __init__(self):
        self.ended = []

    def begin(self, job):
        """Nothing to keep yet."""

    def moved(self, job):
        """Nothing either."""

    def end(self, job, stage, seconds):
        """Keep it."""
        assert seconds is not None
        self.ended.append((len(job.stages), stage))


@pytest.fixture
def recorder(monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(progress, "_watcher", lambda: recorder)
    return recorder


def check(recorder, verb, name):
    for _, stage in recorder.ended:
        if stage.total is not None and not stage.may_stop:
            assert stage.done == pytest.approx(stage.total), stage.title
        if stage.total is not None:
            assert stage.done <= stage.total + 1e-6, stage.title
        if stage.n_stages is not None:
            titles = [(deep, each.title) for deep, each in recorder.ended]
            assert stage.n_begun == stage.n_stages, (stage.title, titles)
    deep, last = recorder.ended[-1]
    assert (deep, last.title) == (0, f"{verb} {name.partition(' ')[0]}")
    recorder.ended.clear()


@pytest.fixture
def timed_clicks(clicks):
    users, columns = clicks.matrix.nonzero()
    frame = pl.DataFrame(
        {
            "user_id": clicks.users.take(users),
            "item_id": clicks.items.take(columns),
            "timestamp": [(7 * n) % len(users) for n in range(len(users))],
        }
    )
    return Interactions.from_frame(frame)


@pytest.mark.parametrize("name", MODELS)
def test_stages_are_as_many_as_expected_and_counted_to_their_ends(name, timed_clicks, items, recorder):
    model = made(name).fit(timed_clicks, items)
    check(recorder, "fit", name)
    model.refit(timed_clicks, items)
    check(recorder, "refit", name)


@pytest.mark.parametrize(
    "model",
    [
        EASE(collective=1.0),
        MARec(beta=1.0),
        MARec(backbone=EASE(collective=1.0)),
        MultVAE(hidden=8, latent=4, ease_term=EASETerm(), training=Training(epochs=2)),
    ],
    ids=lambda model: repr(model)[:40],
)
def test_so_are_those_of_other_settings(model, timed_clicks, items, recorder):
    model.fit(timed_clicks, items)
    check(recorder, "fit", model.name)
