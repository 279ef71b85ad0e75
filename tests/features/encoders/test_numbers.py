"""Numbers and given vectors as item vectors."""

import numpy as np
import polars as pl
import pytest

from isotherm.errors import ParameterError
from isotherm.features.encoders.numbers import NumberEncoder, VectorEncoder


def test_numbers_are_as_alike_as_they_are_close():
    encoder = NumberEncoder().fit(pl.Series("year", [1990.0, None, 2010.0]))
    vectors = encoder.transform(pl.Series("year", [1990.0, None, 2000.0, 2050.0]))
    np.testing.assert_allclose(
        vectors.product_index().similarities(vectors.array),
        [[1, 0, 0.5, 0], [0, 0, 0, 0], [0.5, 0, 1, 0], [0, 0, 0, 1]],
        atol=1e-6,
    )


def test_number_of_one_value_only_is_no_division_by_zero():
    vectors = NumberEncoder().fit(pl.Series("x", [7.0, 7.0])).transform(pl.Series("x", [7.0, 7.0, 8.0]))
    np.testing.assert_array_equal(vectors.product_index().similarities(vectors.array)[0], [1, 1, 0])


def test_vector_of_another_length_is_refused_at_transform():
    encoder = VectorEncoder().fit(pl.Series("clip", [[1.0, 2.0], None]))
    vectors = encoder.transform(pl.Series("clip", [None, [3.0, 4.0]]))
    np.testing.assert_array_equal(vectors.array, [[0, 0], [3, 4]])
    with pytest.raises(ParameterError, match="field 'clip', row 1: a vector of length 1 where 2 was learned"):
        encoder.transform(pl.Series("clip", [[1.0]]))
