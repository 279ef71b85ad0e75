"""Hidden clicks of a user who is left out in closed form, against a model that has never seen the user."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm.models.choice.hidden_clicks import HiddenClicks
from isotherm.models.linear.left_out import left_out_ndcgs
from isotherm.models.linear.penalties import Penalties, user_weights
from tests.conftest import random_clicks
from tests.reference.ease import hidden_ndcg


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("power", [0.0, 0.5])
def test_ndcg_is_that_of_a_model_fitted_without_the_user(seed, power):
    rng = np.random.default_rng(seed)
    x = random_clicks(rng, 40, 15)
    x = x[(x > 0).sum(axis=1) > 1]
    clicks = csr_array(x.astype(np.float32))
    hidden = HiddenClicks.draw(clicks, 0.3, rng)
    weights = user_weights(clicks, power)
    gram = (x * weights[:, None]).T @ x
    ridge = Penalties(4.0, 0.3).ridge(np.diag(gram))
    inverse = np.linalg.inv(gram + np.diag(ridge)).astype(np.float32)
    found = left_out_ndcgs(hidden, inverse, ridge.astype(np.float32), weights, np.array([0.0, 0.3]))
    kept = hidden.kept.toarray()
    expected = [
        [
            np.mean([hidden_ndcg(x, u, kept[u], 4.0, 0.3, power, relaxation, cut) for cut in (10, 100)])
            for relaxation in (0.0, 0.3)
        ]
        for u in range(len(x))
    ]
    np.testing.assert_allclose(found, expected, atol=1e-3)
