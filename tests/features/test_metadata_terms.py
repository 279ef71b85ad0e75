"""Terms under their fields, and how far each field moves a prediction, worked by hand."""

import numpy as np
import pytest

from isotherm.features.metadata_terms import (
    BASE_LEVEL,
    MetadataTerm,
    importance_of_fields,
    summed_by_field,
)

TERMS = [
    MetadataTerm("genre", ("genre",)),
    MetadataTerm("year", ("year",)),
    MetadataTerm("genre × year", ("genre", "year")),
    MetadataTerm(BASE_LEVEL, (BASE_LEVEL,)),
]


def test_pairs_count_half_for_each_and_nothing_is_lost():
    fields, shares = summed_by_field(TERMS, np.array([1.0, -2.0, 3.0, 0.5]))
    assert dict(zip(fields, shares, strict=True)) == {"genre": 2.5, "year": -0.5, BASE_LEVEL: 0.5}
    assert shares.sum() == 2.5


def test_what_is_the_same_for_all_items_counts_nothing():
    contributions = np.zeros((4, 1, 2))
    contributions[0] = [[1.0, 3.0]]  # moves by 1 to both sides
    contributions[1] = [[7.0, 7.0]]
    contributions[2] = [[-4.0, 8.0]]  # a half is -2 and 4: 3 to both sides
    contributions[3] = 9.0
    importance = importance_of_fields(TERMS, contributions)
    assert importance["field"].to_list() == ["genre", "year"]
    assert importance["share"].to_list() == pytest.approx([4 / 7, 3 / 7])
    assert importance["percent"].sum() == pytest.approx(100)


def test_nothing_moves_where_nothing_varies():
    importance = importance_of_fields(TERMS, np.ones((4, 2, 3)))
    assert importance["share"].to_list() == [0.0, 0.0]
