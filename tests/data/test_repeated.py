"""One protocol with several seeds."""

import numpy as np
import pytest

from isotherm import Popularity, evaluate
from isotherm.data import splits
from isotherm.data.repeated import repeated
from isotherm.errors import ParameterError, SplitError


def test_each_seed_gives_the_split_of_the_protocol(clicks):
    several = repeated(clicks, "mixed", (7, 3), holdout=0.3)
    assert len(several) == 2
    for split, seed in zip(several, (7, 3), strict=True):
        alone = splits.mixed(clicks, holdout=0.3, seed=seed)
        assert split.settings == alone.settings
        assert (split.targets != alone.targets).nnz == 0
        np.testing.assert_array_equal(split.cold, alone.cold)
    assert several[1].settings["seed"] == several[-1].settings["seed"] == 3
    assert [split.settings["seed"] for split in several[:1]] == [7]


def test_evaluation_tells_each_seed_and_the_spread(clicks):
    found = evaluate(repeated(clicks, "strong", range(3)), {"p": Popularity()}, ks=[5])
    figures = found.models["p"].folds["all"]["ndcg@5"]
    each = [evaluate(splits.strong(clicks, seed=seed), {"p": Popularity()}, ks=[5]) for seed in range(3)]
    alone = [one.models["p"].mean("all", "ndcg@5") for one in each]
    assert figures.values == pytest.approx(alone)
    assert figures.spread == pytest.approx(np.std(alone, ddof=1))
    assert found.split["seed"] == [0, 1, 2]


@pytest.mark.parametrize("seeds", [[], [1, 1], [-1], "12", 3, [0.5]], ids=repr)
def test_seeds_that_are_none_are_refused(clicks, seeds):
    with pytest.raises(ParameterError, match="seed"):
        repeated(clicks, "mixed", seeds)


def test_protocols_without_a_draw_are_refused(clicks):
    with pytest.raises(ParameterError, match="protocol must be one of 'cold-items', 'mixed'"):
        repeated(clicks, "temporal", [1])
    with pytest.raises(SplitError, match=r"seed 4: holding out 0.001"):
        repeated(clicks, "cold-items", [4], holdout=0.001)[0]
