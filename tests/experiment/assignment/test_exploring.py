"""What is drawn is drawn with the probabilities that are logged, and can be drawn again."""

from collections import Counter
from itertools import permutations
from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isotherm.errors import ParameterError
from isotherm.experiment.assignment import explored, seed
from isotherm.experiment.plan import Exploration

SCORES = np.array([3.0, 2.5, 1.0, 0.0])


def probability(order, exploration):
    """Of a list, place by place, as the words of Exploration say."""
    left, told = list(range(len(SCORES))), []
    for place, item in enumerate(order):
        best = left[0]
        if place < exploration.from_rank - 1:
            told.append(float(item == best))
        else:
            weights = {
                each: 1.0 if exploration.kind == "epsilon" else exp(SCORES[each] / exploration.temperature)
                for each in left
            }
            drawn = weights[item] / sum(weights.values())
            told.append((1 - exploration.share) * (item == best) + exploration.share * drawn)
        left.remove(item)
    return told


@pytest.mark.parametrize(
    "exploration",
    [
        Exploration("epsilon", 0.4, from_rank=2),
        Exploration("epsilon", 1.0, from_rank=1),
        Exploration("softmax", 1.0, from_rank=1, temperature=2.0),
        Exploration("softmax", 0.5, from_rank=2, temperature=0.7),
    ],
)
def test_lists_come_as_often_as_their_propensities_say(exploration):
    n, rng = 4_000, np.random.default_rng(3)
    counts = Counter()
    for _ in range(n):
        drawn = explored(SCORES, 3, exploration, rng)
        order = tuple(drawn.chosen.tolist())
        counts[order] += 1
        assert drawn.propensities.tolist() == pytest.approx(probability(order, exploration), rel=1e-12)
    for order in permutations(range(4), 3):
        expected = np.prod(probability(order, exploration))
        assert abs(counts[order] / n - expected) < 4.5 * (expected * (1 - expected) / n) ** 0.5 + 1e-12


@given(
    st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=12),
    st.integers(1, 14),
    st.sampled_from(["epsilon", "softmax"]),
    st.floats(0.001, 1),
    st.floats(1e-6, 1e6),
    st.text(),
)
def test_propensities_are_probabilities_and_items_stand_once(scores, from_rank, kind, share, heat, request):
    scores = np.sort(np.array(scores))[::-1]
    groups = np.arange(len(scores)) % 2 == 1
    exploration = Exploration(kind, share, from_rank, heat)
    k = max(1, len(scores) // 2)
    one, again = (
        explored(scores, k, exploration, np.random.default_rng(seed(request)), groups) for _ in range(2)
    )
    assert one.chosen.tolist() == again.chosen.tolist()
    assert len(set(one.chosen.tolist())) == k
    assert ((one.propensities > 0) & (one.propensities <= 1 + 1e-12)).all()
    assert groups[one.chosen].tolist() == groups[:k].tolist()
    fixed = min(from_rank - 1, k)
    assert one.chosen[:fixed].tolist() == list(range(fixed))
    assert (one.propensities[:fixed] == 1).all()


def test_a_list_that_is_longer_than_its_candidates_is_refused():
    with pytest.raises(ParameterError, match="k is 5, and there are 4 candidates"):
        explored(SCORES, 5, Exploration("epsilon", 0.5), np.random.default_rng(0))


def test_seeds_of_requests_differ():
    assert len({seed(f"r-{n}") for n in range(1000)}) == 1000
