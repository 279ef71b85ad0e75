"""A model that reads no item table filters by what its items were put with."""

import numpy as np
import pytest

from isotherm import EASE, Interactions
from isotherm.errors import ParameterError
from isotherm.serving.catalogue.filter_fields import Range
from isotherm.serving.catalogue.items import LiveItem
from isotherm.serving.live.model import LiveModel
from isotherm.serving.live.requests import Asker, Rules


@pytest.fixture
def live():
    x = np.float32([[1, 1, 0, 1], [1, 1, 1, 0], [1, 0, 0, 1]])
    clicks = Interactions.from_csr(x, ["a", "b", "c"], ["tea", "cup", "pot", "mug"])
    live = LiveModel(EASE(l2=1.0).fit(clicks))
    tea = {"kind": ["hot", "leaf"], "price": 3, "made": "here", "fresh": True, "text": "x" * 300}
    live.put_items([LiveItem("tea", tea)])
    live.put_items([LiveItem("cup", {"kind": "hot", "price": 4.5, "size": 1})])
    live.put_items([LiveItem("pot", {"kind": [], "price": None, "size": ["big", "flat"]})])
    return live


def shown(live, **filters):
    rules = Rules(filters=filters, exclude_seen=False)
    return {item.item_id for item in live.recommend(Asker(history=[("tea", 1.0)]), 4, rules).items}


def test_items_are_filtered_by_what_they_were_put_with(live):
    assert shown(live, kind=["hot"]) == {"tea", "cup"}
    assert shown(live, kind=["leaf", "big"]) == {"tea"}
    assert shown(live, price=Range(3, 4)) == {"tea"}
    assert shown(live, price=[4.5]) == {"cup"}
    assert shown(live, fresh=[True], made=["here"]) == {"tea"}
    assert shown(live, size=[1, "big"]) == {"cup", "pot"}


def test_what_is_put_later_counts(live):
    live.put_items([LiveItem("cup", {"kind": "cold"}), LiveItem("mug", {"kind": ["hot"], "price": 3.5})])
    assert shown(live, kind=["hot"]) == {"tea", "mug"}
    assert shown(live, price=Range(3, 4)) == {"tea", "mug"}
    live.remove_item("mug")
    assert shown(live, kind=["hot"]) == {"tea"}


def test_other_fields_are_refused_with_those_that_there_are(live):
    words = r"'text'; there are: kind \(values\), price \(number\), made \(values\)"
    with pytest.raises(ParameterError, match=words):
        shown(live, text=["x"])
    with pytest.raises(ParameterError, match="'kind' holds values"):
        shown(live, kind=Range(1))
