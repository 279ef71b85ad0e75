"""Warm items that play new ones."""

import numpy as np

from isotherm.features.metadata_similarity import MetadataSimilarity
from isotherm.models.marec.embedding import Siamese
from isotherm.models.marec.field_weights import normal_equations
from isotherm.models.marec.pseudo_cold import PseudoColdItems
from isotherm.models.marec.warm_clicks import WarmClicks
from tests.reference import marec as reference


def test_importance_of_an_embedding_is_learned_on_items_it_has_not_met(clicks, items):
    """The regression over the columns of some items is the literal one over their cells."""
    similarity = MetadataSimilarity.fitted(items, shrinkage=20.0)
    embedding, encoded = Siamese(alone=True, width=8, heads=2), similarity.encode(items)
    x = clicks.matrix.toarray().astype(float)
    pseudo_cold = PseudoColdItems.draw(WarmClicks.of(clicks), encoded, similarity, embedding, seed=0)
    hidden = pseudo_cold.split.hidden_items
    assert len(hidden) == 5
    vectors = pseudo_cold.encoded.fields["learned embedding"].array.astype(float)
    g = vectors @ vectors.T / (1 + 20.0)
    np.fill_diagonal(g, 0)
    sums = normal_equations(
        clicks.matrix,
        (x.T @ x).astype(np.float32),
        pseudo_cold.warm_index,
        pseudo_cold.hidden,
        hidden,
        0.1,
    )
    expected = reference.weighted_least_squares(x, [g], hidden, 0.1)
    np.testing.assert_allclose(sums.solve(False), expected, rtol=1e-3)
