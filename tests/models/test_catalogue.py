"""The catalogue: clicked items, then those of the item table, then added ones."""

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from isotherm import Interactions, Items
from isotherm.data import IdMap
from isotherm.errors import ItemsError
from isotherm.models.catalogue import extended_catalogue, over_catalogue


def table(*ids):
    return Items.from_frame(pl.DataFrame({"item_id": ids, "year": [float(n) for n in range(len(ids))]}))


def test_clicks_and_table_have_the_same_columns_clicked_items_first():
    clicks = Interactions.from_csr(csr_array([[1, 0], [1, 1]]), [0, 1], ["b", "a"])
    clicks, items = over_catalogue(clicks, table("c", "a", "b"))
    assert clicks.items.values.to_list() == items.ids.values.to_list() == ["b", "a", "c"]
    np.testing.assert_array_equal(clicks.matrix.toarray(), [[1, 0, 0], [1, 1, 0]])
    assert items.column("year").to_list() == [2.0, 1.0, 0.0]


def test_a_clicked_item_without_a_row_is_refused():
    clicks = Interactions.from_csr(csr_array([[1, 1]]), [0], ["b", "a"])
    with pytest.raises(ItemsError, match="a"):
        over_catalogue(clicks, table("b"))


def test_new_items_follow_and_known_ones_are_refused():
    catalogue = IdMap(["b", "a"])
    assert extended_catalogue(catalogue, table("d", "c")).values.to_list() == ["b", "a", "d", "c"]
    with pytest.raises(ItemsError, match="the model knows 1 of these items already: 'a'"):
        extended_catalogue(catalogue, table("c", "a"))
