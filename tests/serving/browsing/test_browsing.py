"""What people see who look at the items; what is not available only if they ask for it."""

import gc
import weakref

import numpy as np
import pytest

from isotherm import EASE, Interactions
from isotherm.errors import ParameterError, UnknownIdError
from isotherm.serving.browsing import browsing
from isotherm.serving.browsing.browsing import Browser
from isotherm.serving.catalogue.items import LiveItem
from isotherm.serving.live.model import LiveModel


@pytest.fixture
def browser(live):
    return Browser(live)


def ids(found):
    return [item.item_id for item in found[0]]


def test_search_finds_by_title_and_by_id(browser, live):
    assert ids(browser.search("film 23", 5)) == ["f23"]
    assert ids(browser.search("f07", 5)) == ["f07"]
    items, found = browser.search("film", 3)
    assert (len(items), found) == (3, live.snapshot.model.n_items)


def test_an_empty_query_gives_the_most_clicked(browser, live):
    clicks = [item.clicks for item in browser.search("", 24)[0]]
    assert clicks == sorted(clicks, reverse=True)
    assert clicks[0] == live.snapshot.known.clicks.max()


def test_what_may_not_be_shown_is_found_only_by_those_who_ask(browser, live, now):
    live.put_items([LiveItem("f01", hidden=True), LiveItem("f02", available_until=1500.0)])
    live.put_items([LiveItem("new", {"title": "Later", "genres": ["war"]}, available_from=1800.0)])
    live.remove_item("f03")
    assert "war" in dict(browser.fields()[1].values)
    assert ids(browser.search("f01", 5)) == []
    assert ids(browser.search("f02", 5)) == ["f02"]
    now[0] = 1600.0
    for item in ("f01", "f02", "f03", "new"):
        assert item not in ids(browser.search("", 100))
        assert item in ids(browser.search("", 100, unavailable=True))
        assert item not in browser.map().item_ids
        assert browser.items([item]) == []
        assert browser.map().n_items == len(browser.map().item_ids)
    live.put_items([LiveItem("secret", {"title": "Secret", "genres": ["unheard"]}, hidden=True)])
    assert "unheard" not in dict(browser.fields()[1].values)
    assert "unheard" not in browser.map().values
    now[0] = 1900.0
    assert ids(browser.search("later", 5)) == ["new"]


def test_an_item_that_was_put_otherwise_is_there_once(browser, live):
    live.put_items([LiveItem("new", {"title": "Dune", "genres": ["space"]})])
    live.put_items([LiveItem("new", {"title": "Dunes", "genres": ["war"]})])
    assert ids(browser.search("dune", 9, unavailable=True)) == ["new"]
    assert browser.item("new").title == "Dunes"
    assert browser.map().item_ids.count("new") == 1
    live.remove_item("new")
    assert ids(browser.search("dune", 9, unavailable=True)) == []


def test_items_are_given_in_the_order_of_the_ids(browser):
    assert [item.item_id for item in browser.items(["f05", "none", "f01"])] == ["f05", "f01"]


def test_an_item_tells_what_was_put(browser, live):
    live.put_items([LiveItem("new", {"title": "Dune", "genres": ["space"]}, hidden=True)])
    seen = browser.item("new", unavailable=True)
    assert (seen.title, seen.cold, seen.clicks, seen.available) == ("Dune", True, 0, False)
    assert seen.values == {"genres": ["space"]}
    assert seen.put.hidden
    assert browser.item("f00").put is None


def test_removed_and_unknown_items_are_unknown(browser, live):
    live.remove_item("f01")
    for item in ("f01", "none"):
        with pytest.raises(UnknownIdError, match="put it first"):
            browser.item(item, unavailable=True)


def test_fields_are_the_title_and_those_of_the_model(browser):
    title, genres = browser.fields()
    assert (title.name, title.type.kind, title.values) == ("title", "text", [])
    counts = dict(genres.values)
    assert set(counts) == {"space", "love", "war"}
    assert counts["space"] == max(counts.values())
    assert browser.takes_new_items


def test_a_number_that_no_item_has_is_proposed_where_ids_are_numbers(browser, clicks):
    assert browser.new_id is None
    numbers = Interactions.from_csr(clicks.matrix)
    live = LiveModel(EASE(l2=1.0).fit(numbers))
    assert Browser(live).new_id == numbers.n_items
    assert str(Browser(live).new_id) not in live.snapshot.columns


def test_a_model_of_clicks_alone_has_no_fields_and_a_map(clicks):
    browser = Browser(LiveModel(EASE(l2=1.0).fit(clicks)))
    assert browser.fields() == []
    assert not browser.takes_new_items
    seen = browser.map()
    assert seen.field is None
    assert (seen.value == -1).all()


def test_the_map_is_coloured_by_a_field(browser, live):
    seen = browser.map("genres")
    assert set(seen.values) == {"space", "love", "war"}
    for item, value in zip(seen.item_ids, seen.value, strict=True):
        assert seen.values[value] in browser.item(item).values["genres"]
    with pytest.raises(ParameterError, match="there are: genres"):
        browser.map("none")


def test_the_map_of_many_items_holds_new_ones_and_the_most_clicked(browser, live, monkeypatch):
    monkeypatch.setattr(browsing, "_MOST_POINTS", 10)
    cold, seen = live.snapshot.cold, browser.map()
    assert len(seen.columns) == 10
    assert cold[seen.columns].sum() == 5
    clicks = live.snapshot.known.clicks
    shown = seen.columns[~cold[seen.columns]]
    assert clicks[shown].min() >= np.delete(clicks, shown).max()


def test_a_model_that_left_is_not_kept(browser, live, clicks):
    browser.search("film", 1)
    browser.map()
    left = weakref.ref(live.snapshot)
    live.put_items([LiveItem("f01", hidden=True)])
    gc.collect()
    assert left() is None
