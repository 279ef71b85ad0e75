"""All fields side by side: unit length, standard deviations, and that the scales are kept."""

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array
from sklearn.preprocessing import normalize

from isotherm.features.encoded_items import EncodedItems
from isotherm.features.feature_stack import FeatureStack, _unit_rows, all_features
from isotherm.features.field_vectors import DenseVectors, Numbers, SparseVectors
from isotherm.state import restore, saved

ITEMS = EncodedItems(
    {
        "genres": SparseVectors(csr_array(np.array([[3, 4], [0, 0], [0, 2]], dtype=np.float32))),
        "year": Numbers(np.array([0, 1, np.nan], dtype=np.float32)),
        "clip": DenseVectors(np.array([[1, 0], [3, 0], [2, 0]], dtype=np.float32)),
    }
)


def test_fields_are_brought_to_one_size_by_hand():
    expected = [[0.6, 0.8, -1, -1, 0], [0, 0, 1, 1, 0], [0, 1, 0, 0, 0]]
    np.testing.assert_allclose(FeatureStack(ITEMS).features(ITEMS).toarray(), expected, atol=1e-6)


def test_scales_are_those_of_the_reference_and_are_kept():
    stack = FeatureStack(ITEMS)
    again = FeatureStack.empty(ITEMS.forms)
    restore(again, *saved(stack, {}), {})
    some = ITEMS.take(np.array([1]))
    assert stack.features(some).toarray().tolist() == [[0, 0, 1, 1, 0]]
    assert (again.features(some) != stack.features(some)).nnz == 0


def test_features_of_a_table_have_a_column_for_each_number_of_its_fields(items):
    features = all_features(items)
    assert features.shape[0] == len(items)
    assert features.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unit_rows_are_those_of_scikit_learn_to_the_last_bit(dtype):
    rng = np.random.default_rng(3)
    sparse = csr_array(random_array((200, 40), density=0.2, rng=rng, dtype=dtype, format="csr"))
    sparse.data[:5] = 1e-25
    dense = rng.normal(size=(50, 7)).astype(dtype)
    dense[0], dense[1] = 0, 1e-20
    for given in (sparse, dense):
        ours, theirs = _unit_rows(given.copy()), normalize(given.copy())
        assert ours.dtype == theirs.dtype
        assert np.array_equal(csr_array(ours).toarray(), csr_array(theirs).toarray())
    assert _unit_rows(csr_array((3, 0), dtype=dtype)).shape == (3, 0)
