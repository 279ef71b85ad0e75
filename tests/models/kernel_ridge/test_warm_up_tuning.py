"""Choosing the warm-up: by clicks or by metadata, whichever ranks better, if the warm ranking bears it."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm.models.kernel_ridge.warm_up import WarmUp
from isotherm.models.kernel_ridge.warm_up_tuning import RampStage, WarmGuard, choose_warm_up

N_USERS, N_ITEMS = 40, 12


def scores_for(targets, rng, noise):
    """Scores that rank the targets first, but for the noise."""
    return (targets.toarray() + noise * rng.standard_normal(targets.shape)).astype(np.float32)


@pytest.fixture
def targets():
    clicked = np.random.default_rng(0).random((N_USERS, N_ITEMS)) < 0.3
    return csr_array(clicked.astype(np.float32))


def stages(targets, metadata_noise, ease_noise):
    """One stage after a single click."""
    rng = np.random.default_rng(1)
    metadata, ease = (scores_for(targets, rng, noise) for noise in (metadata_noise, ease_noise))
    nothing = csr_array(targets.shape, dtype=np.float32)
    return [RampStage(metadata, ease, np.ones(N_ITEMS), np.zeros(N_ITEMS, np.float32), nothing, targets)]


def guard(targets, rare_scale=1.0):
    """EASE ranks the kept items well; metadata would lift the two rare ones, which nobody wants."""
    wanted = targets.toarray()
    wanted[:, :2] = 0
    wanted = csr_array(wanted)
    ease = scores_for(wanted, np.random.default_rng(2), 0.1)
    metadata = np.full((N_USERS, 2), rare_scale, dtype=np.float32)
    return WarmGuard(ease, np.arange(2), metadata, np.full(2, 3.0), np.zeros(2, np.float32), wanted)


def test_the_direction_follows_whichever_ranks_better(targets):
    by_clicks = choose_warm_up(stages(targets, 5.0, 0.1), guard(targets, 1e-6), 10.0)
    by_metadata = choose_warm_up(stages(targets, 0.1, 5.0), guard(targets, 1e-6), 10.0)
    assert by_clicks.direction_clicks < by_metadata.direction_clicks


def test_what_lifts_rare_items_over_wanted_ones_is_not_borne(targets):
    held = WarmUp(direction_clicks=64.0, scale_clicks=1.0, hold_clicks=64.0)
    assert guard(targets, 1e-6).bears(held)
    assert not guard(targets, 10.0).bears(held)
    chosen = choose_warm_up(stages(targets, 0.1, 5.0), guard(targets, 10.0), 10.0)
    assert guard(targets, 10.0).bears(chosen)
    assert chosen.hold_clicks < held.hold_clicks


def test_hidden_and_seen_items_are_no_candidates(targets):
    metadata = np.ones((N_USERS, N_ITEMS), dtype=np.float32)
    metadata[:, 0] = 9
    given = csr_array(np.eye(1, N_ITEMS, dtype=np.float32).repeat(N_USERS, axis=0))
    left = csr_array(np.eye(1, N_ITEMS, 1, dtype=np.float32).repeat(N_USERS, axis=0))
    stage = RampStage(metadata, metadata, np.ones(N_ITEMS), np.zeros(N_ITEMS, np.float32), given, left)
    assert stage.ndcg(WarmUp()) == pytest.approx(1)
