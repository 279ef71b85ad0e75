"""Categories and tags as item vectors."""

import numpy as np
import polars as pl
import pytest

from isotherm import Items
from isotherm.errors import ItemsError
from isotherm.features.encoders import ENCODERS
from isotherm.features.encoders.categories import CategoryEncoder


def test_categories_seen_once_are_left_out_and_unknown_ones_ignored():
    column = pl.Series("genre", [["a", "b", "a"], ["a"], [], None, ["b", "c"]])
    encoder = CategoryEncoder(min_count=2).fit(column)
    assert encoder.values_ == ["a", "b"]
    new = pl.Series("genre", [["c", "z"], ["b", "b", "a"]])
    np.testing.assert_array_equal(encoder.transform(new).array.toarray(), [[0, 0], [1, 1]])


def test_hierarchy_counts_its_ancestors():
    column = pl.Series("genre", [["film > crime > noir"], ["film > crime"], ["film > war"], []])
    encoder = CategoryEncoder(min_count=2).fit(column)
    assert encoder.values_ == ["film", "film > crime"]
    assert encoder.transform(column).array.toarray().tolist() == [[1, 1], [1, 1], [1, 0], [0, 0]]


def test_tags_keep_their_weights():
    items = Items.from_frame(
        pl.DataFrame(
            {"item_id": [1, 2, 3], "tags": ["space:0.9|robots", "robots:0.4|space:0.1|odd:2", None]}
        ),
        kinds={"tags": "tags"},
    )
    encoder = ENCODERS["tags"]().fit(items.column("tags"))
    assert encoder.values_ == ["robots", "space"]
    np.testing.assert_allclose(
        encoder.transform(items.column("tags")).array.toarray(), [[1, 0.9], [0.4, 0.1], [0, 0]], rtol=1e-6
    )
    pairs = pl.DataFrame({"item_id": [1, 2], "tags": [[{"tag": "a", "w": 2.0}], [{"tag": "a", "w": 0.5}]]})
    items = Items.from_frame(pairs)
    assert items.kinds == {"tags": "tags"}
    assert ENCODERS["tags"]().fit(items.column("tags")).transform(
        items.column("tags")
    ).array.toarray().tolist() == [[2], [0.5]]


@pytest.mark.parametrize("weight", ["-1", "nan", "much", ""])
def test_bad_tag_weight_is_named(weight):
    frame = pl.DataFrame({"item_id": ["x", "y"], "tags": ["a:1", f"b|a:{weight}"]})
    with pytest.raises(
        ItemsError, match=rf"column 'tags', row 2 \(item 'y'\): tag 'a' has the weight '{weight}'"
    ):
        Items.from_frame(frame, kinds={"tags": "tags"})
