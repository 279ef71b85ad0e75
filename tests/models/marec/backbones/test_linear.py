"""MARec on SLIM: eq. 10 against its literal version."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from isotherm import (
    SLIM,
    Interactions,
    MARec,
)
from tests.models.marec.small import cases, dense_weights, mixed_similarity
from tests.reference import marec as reference


@settings(max_examples=40, deadline=None)
@given(cases(), st.sampled_from([0.1, 0.5, 1.0]), st.sampled_from([0.0, 50.0]))
def test_slim_equals_eq_10(case, nonclick_weight, self_penalty):
    x, items, encoded, options = case
    slim = SLIM(l2=20.0, nonclick_weight=nonclick_weight, self_penalty=self_penalty, tolerance=1e-6)
    model = MARec(backbone=slim, **options).fit(Interactions.from_csr(x), items)
    g, counts = mixed_similarity(model, *encoded), x.sum(axis=0)
    d = reference.eq6_strengths(counts, model.click_threshold_, options["beta"])
    mixing = np.eye(len(g)) + options["alpha"] * g * d
    assume(np.linalg.cond(nonclick_weight * x.T @ x @ mixing + 20 * np.eye(len(g))) < 1e3)
    expected = reference.eq10_weights(x, options["alpha"] * x @ g * d, 20.0, nonclick_weight, self_penalty)
    np.testing.assert_allclose(dense_weights(model), expected, atol=2e-4 * max(1.0, np.abs(expected).max()))
