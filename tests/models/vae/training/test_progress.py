"""How far a run is: means over users, the best validation, patience."""

import pytest

from isotherm.models.vae.training.progress import Progress


def test_means_are_over_the_users_of_each_term():
    progress = Progress()
    progress.add({"loss": 6.0, "kl": 2.0}, 2, 0.5)
    progress.add({"loss": 3.0}, 1, 0.5)  # a pass without a KL term
    assert progress.means() == {"loss": 3.0, "kl": 1.0}
    assert progress.users_per_second() == pytest.approx(3.0)
    assert progress.position == (0, 0, 2)
    progress.begin_epoch()
    assert progress.means() == {}
    assert progress.users_per_second() == 0


def test_training_stops_once_patience_is_over():
    progress = Progress(epoch=1)
    assert progress.measured(0.2, patience=2)
    progress.epoch = 2
    assert not progress.measured(0.2, patience=2)
    assert not progress.stopped
    assert progress.measured(0.3, patience=2)
    assert (progress.best, progress.best_epoch, progress.validations_since_best) == (0.3, 2, 0)
    for stopped in (False, True):
        assert not progress.measured(0.1, patience=2)
        assert progress.stopped == stopped
