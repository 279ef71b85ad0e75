"""What makes a kernel of a field's vectors, and that it is kept."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm.features.field_vectors import DenseVectors, Numbers, SparseVectors
from isotherm.features.kernel_scaling import empty_scaling, fitted_scaling
from isotherm.state import restore, saved

ROWS = np.array([[0, 3, 4], [0, 0, 0], [1, 0, 0], [2, 1, 0]], dtype=np.float32)
FIELDS = [SparseVectors(csr_array(ROWS)), DenseVectors(ROWS), Numbers(np.array([0.5, np.nan], np.float32))]


@pytest.mark.parametrize("vectors", FIELDS, ids=lambda vectors: type(vectors).__name__)
def test_products_are_at_most_one_and_the_scaling_is_kept(vectors):
    scaling = fitted_scaling(vectors, 0.5)
    scaled = scaling.scaled(vectors)
    assert scaled.form == vectors.form
    assert (scaled.known == vectors.known).all()
    assert scaled.self_products().max() <= 1
    again = empty_scaling(vectors.form)
    restore(again, *saved(scaling, {}), {})
    np.testing.assert_array_equal(again.scaled(vectors).stored, scaled.stored)


def test_delta_is_the_median_squared_norm_of_what_is_there():
    assert fitted_scaling(FIELDS[0], 0.5).delta_ == 0.5 * 5
    nothing = SparseVectors(csr_array((2, 3), dtype=np.float32))
    assert fitted_scaling(nothing, 0.5).delta_ == 1
