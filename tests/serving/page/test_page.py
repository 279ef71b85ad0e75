"""The page in a real browser: what an engineer, an editor and an operator do with it."""

import pytest

from isotherm import EASE
from isotherm.serving.app.limits import Limits
from isotherm.serving.catalogue.items import LiveItem
from isotherm.serving.live.model import LiveModel
from tests.serving.page.conftest import Page

pytest.importorskip("selenium")
from selenium.webdriver.common.keys import Keys

HOSTILE = {
    "script": '<script>window.broken = 1</script><img src=x onerror="window.broken = 1">',
    "quotes": "\"'`&amp;</p>--%00{{7*7}}",
    "emoji": "🎬 Film 👩‍👩‍👧‍👦",
    "right-to-left": "\u202eevil\u202c שלום \u200fעולם",
    "long": "x" * 100_000,
    "words": "long words " * 9_000,
    "empty": " ",
}


def choose(page, query, downs=1):
    """By keyboard alone: find a title and take it into the taste."""
    page.press("/")
    assert page.script("return document.activeElement.id") == "title-search"
    page.press(query)
    fresh = f'#title-search-list[data-query$="{query}"] [role=option]'
    page.until(lambda: page.all(fresh), "nothing was found")
    page.press(*[Keys.ARROW_DOWN] * downs)
    return page.seen_when(lambda: page.press(Keys.ENTER))


def test_a_taste_is_built_by_keyboard_alone_and_changes_the_list(page):
    popular = page.titles()
    assert "most clicked first" in page.text("#answered")
    first = choose(page, "film 7")
    assert page.texts("#chips .chip > bdi") == ["Film 7"]
    assert first != popular
    assert "Film 7" not in first
    assert page.text("#status").startswith("10 recommendations, ")
    second = choose(page, "film 1", downs=2)
    assert len(page.all("#chips .chip")) == 2
    assert second != first
    assert page.all("#recommendations .moved")
    page.script("document.querySelector('.chip .cross').focus()")
    page.seen_when(lambda: page.press(Keys.ENTER))
    assert len(page.all("#chips .chip")) == 1
    assert page.script("return document.activeElement.id") == "title-search"


def test_enter_before_the_answer_takes_what_was_typed(page):
    """Not the first of a list that answers an earlier word."""
    page.press("/", "film")
    page.until(lambda: page.all('#title-search-list[data-query="film"] [role=option]'))
    page.seen_when(lambda: page.press(" 17", Keys.ENTER))
    assert page.texts("#chips .chip > bdi") == ["Film 17"]


def test_the_search_box_keeps_the_pattern_of_a_combobox(page):
    box = page.one("#title-search")
    page.press("/", "film")
    page.until(lambda: box.get_attribute("aria-expanded") == "true")
    options = page.all("#title-search-list [role=option]")
    page.press(Keys.ARROW_UP)
    assert box.get_attribute("aria-activedescendant") == options[-1].get_attribute("id")
    page.press(Keys.ARROW_DOWN)
    assert box.get_attribute("aria-activedescendant") == options[0].get_attribute("id")
    assert [each.get_attribute("aria-selected") for each in options].count("true") == 1
    page.press(Keys.ESCAPE)
    assert box.get_attribute("aria-expanded") == "false"
    assert box.get_attribute("value") == "film"
    page.press(Keys.ESCAPE)
    assert box.get_attribute("value") == ""
    assert "24 titles, 8 shown" in page.text("#status")


def test_the_address_holds_the_taste(page):
    titles = choose(page, "film 7")
    page.seen_when(lambda: page.script("document.querySelector('[data-act^=not]').click()"))
    kept, shared = page.titles(), page.driver.current_url
    assert kept[0] != titles[0]
    assert "like=f07" in shared
    page.driver.refresh()
    page.until(lambda: page.titles() == kept, "a reload loses the list")
    page.until(lambda: page.texts("#chips .chip > bdi") == ["Film 7", titles[0]])
    page.driver.get("about:blank")
    page.driver.get(shared)
    page.until(lambda: page.titles() == kept, "a shared address shows another list")


def test_new_items_are_told_in_words_and_their_number_can_be_set(page):
    page.open("like=f01&like=f02&least=3")
    assert page.texts("#recommendations .badge").count("New") >= 3
    page.click("#setting-most")
    page.seen_when(lambda: page.press("0"))
    assert len(page.all("#recommendations .badge")) >= 3  # at least counts before at most
    page.open("like=f01&most=0")
    assert page.all("#recommendations .badge") == []


def test_why_says_the_sentence_and_the_shares(page, shared):
    page.open("like=f01&like=f02&least=3")
    new = page.script("return document.querySelector('.entry:has(.badge)').dataset.item")
    page.click(f"[data-item='{new}'] [data-act^=why]")
    note = page.one(".note")
    assert page.text(".note .sentence").startswith(("Because you clicked", "Nothing that you clicked"))
    assert "%" in note.text
    assert "Certainty" in note.text
    assert {"By what you clicked", "By field"} & set(page.texts(".note h3"))
    page.click(f"[data-item='{new}'] [data-act^=similar]")
    page.until(lambda: page.texts(".note h3") == ["Similar items"])
    page.click(f"[data-item='{new}'] [data-act^='similar ']")
    assert page.all(".note") == []


def test_what_is_not_wanted_leaves_and_comes_back(page):
    page.open("like=f07")
    unwanted = page.titles()[0]
    assert unwanted not in page.seen_when(lambda: page.click("[data-act^=not]"))
    page.until(lambda: "Not these" in page.texts("#chips h3"))
    assert unwanted in page.seen_when(lambda: page.click("[data-chip^=allow]"))


def test_the_focus_stays_in_the_list(page):
    page.open("like=f07")
    page.script("document.querySelectorAll('[data-act^=\"more\"]')[2].focus()")
    page.seen_when(lambda: page.press(Keys.ENTER))
    third = page.all(".entry")[2]
    assert page.script("return arguments[0].contains(document.activeElement)", third)
    page.seen_when(lambda: page.script("document.querySelectorAll('[data-act^=not]')[9].click()"))


def test_a_filter_of_another_model_can_be_cleared(page):
    page.driver.get(f"{page.address}#like=f07&is=%5B%22planet%22%2C%22mars%22%5D")
    page.until(lambda: "there is no field" in page.text("#alert"))
    page.until(lambda: page.all("#clear-filters:not([hidden])"))
    page.click("#clear-filters")
    page.until(lambda: len(page.titles()) == 10)
    assert page.text("#alert") == ""
    assert page.driver.current_url.endswith("#like=f07")
    assert page.complaints()  # the refused request


def test_what_another_editor_changes_is_seen(page, shared):
    page.open("like=f07")
    first = page.titles()[0]
    hidden = next(item for item in shared.snapshot.columns if f"Film {int(item[1:])}" == first)
    shared.put_items([LiveItem(hidden, hidden=True)])
    page.script("document.getElementById('health').scrollIntoView()")
    page.until(lambda: first not in page.titles(), "the page never looked again")


def test_another_model_brings_its_own_fields(page, shared, clicks, tmp_path):
    EASE(l2=1.0).fit(clicks).save(tmp_path / "next")
    shared.swap(str(tmp_path / "next"))
    page.script("document.getElementById('health').scrollIntoView()")
    page.until(
        lambda: "knows items by their clicks alone" in page.text("#add"), "the page never looked again"
    )
    page.until(lambda: page.titles()[0].startswith("item f"))
    page.settle()


@pytest.mark.parametrize("item", ["a/b?c#d %2F", "é 🎬 'quoted\"", "x" * 900])
def test_ids_are_data_too(page, shared, item):
    shared.put_items([LiveItem(item, {"title": "Odd one", "genres": ["war", "space"]})])
    page.open("like=f01&least=9")
    place = page.titles().index("Odd one")
    entry = page.all(".entry")[place]
    for part in ("why", "similar"):
        page.script("arguments[0].querySelector(`[data-act^='${arguments[1]} ']`).click()", entry, part)
        page.until(lambda: page.all(".note"))
        page.script("arguments[0].querySelector(`[data-act^='${arguments[1]} ']`).click()", entry, part)
    page.seen_when(lambda: page.script("arguments[0].querySelector('[data-act^=more]').click()", entry))
    page.until(lambda: "Odd one" in page.texts("#chips .chip > bdi"))
    page.click("#item-search")
    page.press("odd")
    page.until(lambda: page.all("#item-search-list [role=option]"))
    page.press(Keys.ENTER)
    page.click("#hide")
    page.until(lambda: page.text("#hide") == "Show again")
    put = shared.snapshot.changes[item]
    assert put.hidden
    assert put.metadata == {"title": "Odd one", "genres": ["war", "space"]}


def test_filters_are_ticked(page, shared):
    page.open("like=f07")
    page.click(".filter summary")
    page.seen_when(lambda: page.click(".pill input[value=war]"))
    fields = [page.text(f"[data-detail='{row.get_attribute('data-item')}']") for row in page.all(".entry")]
    page.until(lambda: all("war" in text for text in page.texts(".detail")))
    assert fields
    assert "war" in page.driver.current_url


def test_an_editor_sees_who_will_get_an_item_before_it_is_saved(page, shared):
    before = shared.version
    page.open("like=f01&like=f02")
    page.click("#new-0")
    page.press("Dune <b>")
    page.click("#new-1")
    page.press("space", Keys.ENTER)
    page.until(lambda: page.all("#reach .figure") and not page.all("#reach[aria-busy=true]"))
    assert "would find it among their first 10" in page.text("#reach")
    assert shared.version == before
    page.click("#new-id")
    page.press("dune")
    page.seen_when(lambda: page.press(Keys.ENTER))
    assert shared.snapshot.changes["dune"].metadata == {"title": "Dune <b>", "genres": ["space"]}
    page.until(lambda: "Dune <b> is on the air" in page.text("#change-state"))
    page.until(lambda: "Just added" in page.text("#list"))
    shown = page.text(".entry.marked") + page.text("#just-added")
    assert "Dune <b>" in shown


def test_an_id_that_is_there_is_not_overwritten(page, shared):
    before = shared.version
    page.click("#new-0")
    page.press("Dune")
    page.click("#new-id")
    page.press("f01", Keys.ENTER)
    page.until(lambda: "There is an item with the id f01: Film 1" in page.text("#alert"))
    assert shared.version == before
    page.press(Keys.BACKSPACE)


def test_a_hidden_item_is_gone_until_it_is_shown_again(page, shared):
    first = page.titles()[0]
    page.click("#item-search")
    page.press(first)
    page.until(lambda: page.all("#item-search-list [role=option]"))
    page.press(Keys.ENTER)
    page.one("#hide")
    assert first not in page.seen_when(lambda: page.click("#hide"))
    page.until(lambda: page.text("#hide") == "Show again")
    page.press("/")
    page.one("#title-search").send_keys(first)
    page.until(lambda: page.text("#title-search-list") != "")
    assert first not in page.texts("#title-search-list .name")
    assert first in page.seen_when(lambda: page.click("#hide"))


def test_titles_are_inert_and_break_nothing(page, shared):
    shared.put_items([LiveItem(key, {"title": title, "genres": ["war"]}) for key, title in HOSTILE.items()])
    page.open("like=script&like=long&not=emoji&least=10")
    page.until(lambda: any("script" in text for text in page.texts("#chips .chip > bdi")))
    shown = page.titles() + page.texts("#chips .chip > bdi")
    assert HOSTILE["script"] in shown
    assert HOSTILE["emoji"] in shown
    assert "item empty" in shown
    assert max(map(len, shown)) <= 161
    page.click("[data-act^=why]")
    page.one(".note")
    page.press("/", "x")
    page.until(lambda: page.all("#title-search-list [role=option]"))
    assert page.script("return window.broken") is None
    assert page.script("return document.querySelectorAll('main script, main img').length") == 0
    for width in (320, 400, 1280):
        page.driver.set_window_size(width, 900)
        wide = page.script("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1]
        ends = "return [...document.querySelectorAll(arguments[0])].map(e => e.getBoundingClientRect().right)"
        assert max(page.script(ends, ".name, .chip > bdi")) <= wide[1]


def test_the_map_is_walked_by_keyboard(page):
    page.script("document.getElementById('map-canvas').focus()")
    page.press(Keys.ARROW_RIGHT)
    first = page.text("#map-pointed")
    page.press(Keys.ARROW_LEFT)
    page.press(Keys.ARROW_UP)
    second = page.text("#map-pointed")
    assert first
    assert second
    assert page.text("#status") == second
    page.seen_when(lambda: page.press(Keys.ENTER))
    assert page.text("#chips .chip > bdi") in second
    assert "Nearest to your taste" in page.script("return document.getElementById('map-words').textContent")


def test_health_is_told(page):
    figures = dict(zip(page.texts("#figures dt"), page.texts("#figures dd"), strict=True))
    assert page.text("#ready") == "✓ ready"
    assert figures["Model"] == "first"
    assert figures["Items"] == "24"
    assert int(figures["Requests"]) > 3
    page.click("#health-heading")
    page.until(
        lambda: (
            dict(zip(page.texts("#figures dt"), page.texts("#figures dd"), strict=True))["Lists, p99"] != "–"
        )
    )


def test_the_list_of_a_user_is_shown(page, shared):
    page.open("user=u3")
    assert "from what this user clicked" in page.text("#answered")
    assert page.text("#chips .chip bdi") == "u3"
    page.open("user=nobody")
    assert "most clicked first" in page.text("#answered")
    assert "1 id unknown to the model" in page.text("#answered")


def test_everything_has_a_name_for_a_screen_reader(page):
    page.open("like=f01&not=f02")
    page.until(lambda: page.all("#chips .chip"))
    page.script("for (const each of document.querySelectorAll('details')) each.open = true")
    tree = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = {
        "button",
        "textbox",
        "searchbox",
        "combobox",
        "slider",
        "spinbutton",
        "link",
        "checkbox",
        "region",
        "application",
        "listbox",
    }
    nameless = [
        node["role"]["value"]
        for node in tree
        if not node["ignored"]
        and node["role"]["value"] in roles
        and not node.get("name", {}).get("value", "").strip()
    ]
    assert nameless == []
    found = {node["role"]["value"] for node in tree if not node["ignored"]}
    assert {"main", "banner", "navigation", "region", "status", "alert", "combobox"} <= found


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_its_ground(page, dark):
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    page.open("like=f01&least=3")
    contrast = page.script(CONTRAST)
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert len(contrast) > 50
    assert min(contrast)[0] >= 4.5, min(contrast)


CONTRAST = """
const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
const ground = (element) => {
  for (let each = element; each; each = each.parentElement) {
    const [r, g, b, a = 1] = parse(getComputedStyle(each).backgroundColor);
    if (a > 0.99) return [r, g, b];
  }
  return [255, 255, 255];
};
const light = (rgb) => {
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const [r, g, b] = rgb.map((v) => linear(v / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
return [...document.querySelectorAll("body *")]
  .filter((element) => element.checkVisibility() && hasText(element))
  .map((element) => {
    const [a, b] = [light(parse(getComputedStyle(element).color).slice(0, 3)), light(ground(element))];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.textContent.trim().slice(0, 40)];
  });
"""


def test_a_token_is_asked_for_and_kept_in_the_tab_alone(chromium, serve, shared):
    before, page = shared.version, Page(chromium, serve(shared, token="secret")).open()
    page.script("sessionStorage.clear()")
    page.click("#new-0")
    page.press("Dune")
    page.click("#new-id")
    page.press("dune", Keys.ENTER)
    page.until(lambda: page.script("return document.getElementById('token-dialog').open"))
    page.press("wrong", Keys.ENTER)
    page.until(lambda: page.script("return document.getElementById('token-dialog').open"))
    page.until(lambda: page.script("return document.getElementById('token').value") == "")
    assert shared.version == before
    page.press("secret", Keys.ENTER)
    page.until(lambda: "is on the air" in page.text("#change-state"))
    assert shared.snapshot.changes["dune"].metadata["title"] == "Dune"
    assert page.script("return [localStorage.length, document.cookie]") == [0, ""]
    assert "secret" not in page.driver.current_url
    page.script("sessionStorage.clear()")


def test_without_the_token_hidden_items_stay_unseen(chromium, serve, shared):
    shared.put_items([LiveItem("new", {"title": "Secret"}, hidden=True)])
    page = Page(chromium, serve(shared, token="secret")).open()
    page.script("sessionStorage.clear()")
    page.click("#item-search")
    page.press("s")
    page.until(lambda: page.script("return document.getElementById('token-dialog').open"))
    page.press(Keys.ESCAPE)
    page.until(lambda: "No title fits" in page.text("#item-search-list"))
    assert "Secret" not in page.text("body")


def test_a_token_for_everything_opens_the_page(chromium, serve, shared):
    page = Page(chromium, serve(shared, token="secret", token_for_all=True))
    page.driver.get(page.address)
    page.script("sessionStorage.clear()")
    page.until(lambda: page.script("return document.getElementById('token-dialog').open"))
    page.press("secret", Keys.ENTER)
    page.until(lambda: len(page.titles()) == 10)
    page.script("sessionStorage.clear()")


def test_a_client_with_few_requests_a_second_waits_for_its_list(chromium, serve, shared):
    page = Page(chromium, serve(shared, limits=Limits(rate=4, burst=3))).open("like=f07")
    assert len(page.titles()) == 10
    assert page.text("#alert") == ""


def test_a_model_of_clicks_alone_says_what_it_cannot(chromium, serve, shared_of, clicks):
    page = Page(chromium, serve(shared_of(LiveModel(EASE(l2=1.0).fit(clicks))))).open("like=f01")
    assert "knows items by their clicks alone" in page.text("#add")
    assert len(page.titles()) == 10
    assert page.titles()[0].startswith("item f")
    assert "24 items" in page.text("#map-told")
