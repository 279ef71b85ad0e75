"""item-knn, content-knn and popularity on cases worked by hand."""

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from isotherm import ContentKNN, Interactions, ItemKNN, Items, Popularity

X = np.array([[1, 1, 0], [1, 1, 1], [1, 0, 1], [0, 0, 1]], dtype=float)


def test_item_knn_weights_are_shrunk_cosines():
    model = ItemKNN(neighbours=100, shrinkage=2.0).fit(Interactions.from_csr(X))
    weights = model.score(csr_array(np.eye(3, dtype=np.float32)))
    a, b, c = np.sqrt([3, 2, 3])
    expected = [
        [0, 2 / (a * b + 2), 2 / (a * c + 2)],
        [2 / (a * b + 2), 0, 1 / (b * c + 2)],
        [2 / (a * c + 2), 1 / (b * c + 2), 0],
    ]
    np.testing.assert_allclose(weights, expected, rtol=1e-5)


def test_item_knn_keeps_only_the_nearest():
    model = ItemKNN(neighbours=1, shrinkage=0.0).fit(Interactions.from_csr(X))
    weights = model.score(csr_array(np.eye(3, dtype=np.float32)))
    assert (np.count_nonzero(weights, axis=0) == 1).all()
    assert weights[0, 1] > 0  # item 0 speaks for item 1, its nearest


def test_content_knn_adds_up_the_fields():
    items = Items.from_frame(
        pl.DataFrame(
            {"item_id": [0, 1, 2], "genre": [["a"], ["a", "b"], ["b"]], "year": [2000.0, 2010.0, 2020.0]}
        )
    )
    model = ContentKNN(neighbours=100, shrinkage=1.0).fit(Interactions.from_csr(X), items)
    weights = model.score(csr_array(np.eye(3, dtype=np.float32)))
    expected = 1 / (np.sqrt(2) + 1) + 0.5
    np.testing.assert_allclose(
        weights, [[0, expected, 0], [expected, 0, expected], [0, expected, 0]], rtol=1e-5
    )


def test_popularity_counts_clicks():
    model = Popularity().fit(Interactions.from_csr(X))
    np.testing.assert_array_equal(model.score(csr_array(X[:2])), [[3, 2, 3], [3, 2, 3]])


@pytest.mark.parametrize("seed", range(5))
def test_item_knn_equals_dense_computation(seed):
    rng = np.random.default_rng(seed)
    x = (rng.random((50, 17)) < 0.3).astype(float)
    x[0] = 1
    norms = np.linalg.norm(x, axis=0)
    similarity = x.T @ x / (np.outer(norms, norms) + 20)
    np.fill_diagonal(similarity, 0)
    model = ItemKNN(neighbours=17, shrinkage=20.0).fit(Interactions.from_csr(x))
    np.testing.assert_allclose(model.score(csr_array(x)), x @ similarity, rtol=1e-4, atol=1e-6)
