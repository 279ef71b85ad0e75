"""How β is chosen."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm import EASE, MARec
from isotherm.models.cold_start.pseudo_cold import PseudoColdSplit
from isotherm.models.marec.beta import GivenBeta, HeldBeta, HiddenItems, LearnedBeta, learned_beta
from tests.conftest import random_clicks


def never(hidden):
    raise AssertionError("β must not be learned")


def hidden_items():
    x = csr_array(random_clicks(np.random.default_rng(0), 40, 10, 0.4).astype(np.float32))
    split = PseudoColdSplit.draw(x, 0)
    n_hidden, n_kept = len(split.hidden_items), len(split.kept_items)
    return x, HiddenItems(split, np.ones((n_hidden, n_kept), np.float32), np.ones((n_hidden, 10), np.float32))


def test_a_given_beta_is_that_of_training_and_of_new_items():
    choice = GivenBeta(2.5)
    assert (choice.for_training(7.0), choice.choose(never, default=1.0)) == (2.5, 2.5)


def test_a_held_beta_leaves_training_to_the_natural_one():
    choice = HeldBeta(2.5)
    assert (choice.for_training(7.0), choice.choose(never, default=1.0)) == (7.0, 2.5)


def test_a_learned_beta_asks_the_hidden_items_and_without_them_is_the_default():
    _, hidden = hidden_items()
    asked = []
    learned = LearnedBeta(hidden).choose(lambda items: asked.append(items) or 3.0, default=1.0)
    assert (learned, asked) == (3.0, [hidden])
    assert LearnedBeta(None).choose(never, default=1.5) == 1.5
    assert LearnedBeta(hidden).for_training(7.0) == 7.0


@pytest.mark.parametrize("times", [1.0, 4.0])
def test_beta_makes_up_for_the_level_of_new_scores(times):
    """Scores of new items that are so many times higher at β = 1 get a β as many times lower."""
    x, hidden = hidden_items()

    class Scorer:
        def __init__(self, times):
            self.times = np.float32(times)

        def warm_scores(self, user_items):
            return user_items.toarray() + np.float32(1)

        def new_item_scorer(self, similarities):
            return lambda user_items: self.times * (user_items @ similarities.T)

    once = learned_beta(Scorer(1), Scorer(1), hidden, x)
    assert learned_beta(Scorer(times), Scorer(times), hidden, x) == pytest.approx(once / times, rel=1e-5)


def test_a_refit_holds_the_beta_that_was_learned(clicks, items):
    model = MARec(backbone=EASE(l2=10.0)).fit(clicks, items)
    before = model.beta_
    few = clicks.keep(np.arange(clicks.n_clicks) % 3 > 0)
    assert model.refit(few, items).beta_ == before
    assert MARec(backbone=EASE(l2=10.0), beta=2.0).fit(clicks, items).refit(few, items).beta_ == 2.0
