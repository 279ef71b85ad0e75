"""k-fold splits: what is hidden, how often, and what is refused."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm import Interactions
from isotherm.data.folds import k_fold
from isotherm.errors import ParameterError, SplitError


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_every_item_is_hidden_exactly_once(clicks, folds):
    made = k_fold(clicks, "cold-items", folds, seed=3)
    assert len(made) == len(list(made)) == folds
    hidden = sum(split.cold.astype(int) for split in made)
    assert (hidden == 1).all()
    sizes = [int(split.cold.sum()) for split in made]
    assert max(sizes) - min(sizes) <= 1
    asked = sum(split.targets.nnz for split in made)
    lost = sum(split.dropped.get("hidden clicks of users without a click in train", 0) for split in made)
    assert asked + lost == clicks.n_clicks


def test_every_user_is_tested_exactly_once(clicks):
    made = list(k_fold(clicks, "strong", 4, seed=1))
    users = [user for split in made for user in split.histories.users.values]
    single = sum(
        split.dropped.get("held-out users with a single click: there is none to recommend by", 0)
        for split in made
    )
    assert len(users) == len(set(users)) == clicks.n_users - single
    for split in made:
        held_out = split.train.users.rows(split.histories.users.values)
        assert not np.diff(split.train.matrix.indptr)[held_out].any()


def test_mixed_hides_a_share_of_the_other_clicks_anew_in_each_fold(clicks):
    made = list(k_fold(clicks, "mixed", 5, seed=0, warm_holdout=0.3))
    assert (sum(split.cold.astype(int) for split in made) >= 1).all()
    warm = []
    for number, split in enumerate(made):
        held_out = k_fold(clicks, "mixed", 5, seed=0).fold_of == number
        warm.append(split.targets[:, np.flatnonzero(~held_out)].nnz / split.train.n_clicks)
    assert np.mean(warm) == pytest.approx(0.3 / 0.7, abs=0.1)
    assert len(set(warm)) > 1


def test_folds_are_seeded_and_made_alike_whenever_asked_for(clicks):
    one, again, other = (k_fold(clicks, "mixed", 3, seed=seed) for seed in (0, np.int64(0), 1))
    for fold in range(3):
        assert (one[fold].targets != again[fold].targets).nnz == 0
    assert (one.fold_of != other.fold_of).any()
    assert [split.settings["fold"] for split in one[1:]] == [2, 3]
    assert (one[-1].targets != one[2].targets).nnz == 0
    with pytest.raises(IndexError):
        one[3]


@pytest.mark.parametrize(
    ("protocol", "folds", "more", "error", "says"),
    [
        (
            "leave-one-out",
            5,
            {},
            ParameterError,
            "folds are made for cold-items, mixed, strong, not for 'leave",
        ),
        ("temporal", 5, {}, ParameterError, "not for 'temporal'; several cuts in time are made by rolling"),
        ("cold-items", 1, {}, ParameterError, "folds must be a whole number >= 2"),
        ("cold-items", 0, {}, ParameterError, "folds must be a whole number >= 2"),
        ("cold-items", 2.5, {}, ParameterError, "folds must be a whole number"),
        ("cold-items", float("nan"), {}, ParameterError, "folds must be a whole number"),
        ("cold-items", 26, {}, SplitError, "26 folds of 25 items"),
        ("strong", 61, {}, SplitError, "61 folds of 60 users"),
        ("mixed", 5, {"warm_holdout": 1.0}, SplitError, "warm_holdout must be between 0 and 1"),
        ("strong", 5, {"fold_in": 0}, SplitError, "fold_in must be between 0 and 1"),
        ("strong", 5, {"warm_holdout": 0.1}, ParameterError, "folds of strong have no setting warm_holdout"),
        ("cold-items", 5, {"seed": -1}, ParameterError, "seed must be a whole number >= 0"),
    ],
)
def test_bad_settings_are_named(clicks, protocol, folds, more, error, says):
    with pytest.raises(error, match=says):
        k_fold(clicks, protocol, folds, **more)


def test_fold_without_anything_to_find_is_named():
    """Each user has one item alone: hide it, and nothing is known of the user."""
    clicks = Interactions.from_csr(csr_array(np.eye(4)))
    with pytest.raises(SplitError, match="fold 1 of 2: the cold-items split leaves no user"):
        k_fold(clicks, "cold-items", 2)[0]
