"""Cold items: appended and looked up as one object, saved and filled again."""

import numpy as np
import pytest

from isotherm.features.metadata_kernel import MetadataKernel
from isotherm.models.cold_start.cold_items import ColdItems
from isotherm.state import restore, saved
from tests.features.test_metadata_kernel import table

SIZES = {"n_users": 0, "n_items": 20, "n_fitted": 10}


@pytest.fixture
def kernel_and_items():
    items = table(np.random.default_rng(0), 8)
    kernel = MetadataKernel.fitted(items)
    encoded = kernel.encode(items)
    certainty = np.linspace(0, 1, 8, dtype=np.float32)
    return kernel, ColdItems(np.arange(10, 18), encoded, certainty)


def test_position_is_that_among_the_cold_items(kernel_and_items):
    items = kernel_and_items[1]
    assert len(items) == 8
    assert [items.position(column) for column in (10, 17, 9, 18)] == [0, 7, None, None]


def test_appended_items_come_last_and_change_nothing_else(kernel_and_items):
    items = kernel_and_items[1]
    new = ColdItems(np.array([19, 18]), items.encoded.take(np.array([3, 4])), np.float32([0.25, 0.5]))
    both = items.appended(new)
    assert both.columns.tolist() == [*range(10, 18), 19, 18]
    assert both.certainty.tolist() == [*items.certainty, 0.25, 0.5]
    assert (both.position(18), len(both.encoded), len(items)) == (9, 10, 8)
    np.testing.assert_array_equal(
        both.encoded.fields["clip"].array[8:], items.encoded.fields["clip"].array[3:5]
    )


@pytest.mark.parametrize("certain", [True, False])
def test_saved_and_filled_again(kernel_and_items, certain):
    kernel, items = kernel_and_items
    items = items if certain else ColdItems(items.columns, items.encoded)
    arrays, document = saved(items, SIZES)
    assert ("certainty" in arrays) == certain
    filled = ColdItems.empty(kernel.forms, certainty=certain)
    restore(filled, arrays, document, SIZES)
    assert filled.columns.tolist() == items.columns.tolist()
    assert (filled.certainty is None) != certain
    for name, vectors in items.encoded.fields.items():
        again = filled.encoded.fields[name]
        assert again.form == vectors.form
        np.testing.assert_array_equal(again.stored, vectors.stored)
