"""The page of experiments in a real browser, on the log of some hundred users and six days."""

import numpy as np
import polars as pl
import pytest

pytest.importorskip("selenium")
pytest.importorskip("tea_tasting", reason="the extra experiment is not installed")

from isotherm.experiment.assignment import place
from isotherm.experiment.plan import Arm, Experiment
from isotherm.serving.database import Database
from isotherm.serving.live.model import LiveModel
from isotherm.serving.live.requests import Asker
from isotherm.serving.shared.experiment_results import ExperimentResults
from isotherm.serving.shared.shared import SharedModel
from tests.serving.page.conftest import Page

START, DAY, DAYS, USERS = 1_767_225_600.0, 86_400.0, 6, 700
PLAN = Experiment("<b>new</b> films", (Arm("control"), Arm("new")), start=START)


def write_log(folder, better, lost=0.0):
    """Lists of ten on each day; a title is clicked with 0.2, in the arm new with ``better`` more.

    lost: share of the users of that arm whom the log lost.
    """
    rng, lists, clicks = np.random.default_rng(0), [], []
    for user in range(USERS):
        arm = place(PLAN, user, START).arm
        if arm == "new" and rng.random() < lost:
            continue
        for day in range(DAYS):
            at = START + day * DAY + 3600
            items = rng.permutation(40)[:10]
            lists.append((f"{user}-{day}", user, PLAN.name, arm, at, items.tolist(), [1]))
            for item in items[rng.random(10) < (0.2 + better if arm == "new" else 0.2)]:
                clicks.append((f"{user}-{day}-{item}", user, int(item), "click", at + 60))
    moment = (pl.col("timestamp") * 1e6).cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    names = ["request_id", "user_id", "experiment", "arm", "timestamp", "items", "cold"]
    exposures = pl.DataFrame(lists, schema=names, orient="row").with_columns(moment)
    events = pl.DataFrame(
        clicks, schema=["event_id", "user_id", "item_id", "type", "timestamp"], orient="row"
    )
    first = exposures.unique("user_id", keep="first", maintain_order=True)
    folder.mkdir()
    exposures.write_parquet(folder / "exposures.parquet")
    events.with_columns(moment).write_parquet(folder / "events.parquet")
    first.select("experiment", "arm", "user_id", "timestamp").write_parquet(folder / "assignments.parquet")


@pytest.fixture
def opened(chromium, serve, model, tmp_path, monkeypatch):
    """A function that opens the page of a server whose log is the one written before."""
    monkeypatch.setattr(ExperimentResults, "_exported", lambda self: tmp_path / "log")
    with Database.open(f"sqlite:///{tmp_path}/live.db") as database:
        database.experiments.declare(PLAN, START)
        shared = SharedModel(LiveModel(model, "first"), database, experiments=[PLAN])
        for user in range(12):
            shared.recommend(Asker(user=user), k=3)

        def start(shared=shared, **options):
            chromium.get("about:blank")
            chromium.get_log("browser"), chromium.get_log("performance")
            page = Page(chromium, serve(shared, **options) + "experiments")
            chromium.get(page.address)
            page.until(lambda: not page.all("[aria-busy]"))
            return page

        yield start
        shared.close()


def test_the_page_shows_arms_ratio_effects_and_verdict(opened, tmp_path):
    write_log(tmp_path / "log", better=0.05)
    page = opened()
    assert page.texts(".experiment h2") == ["<b>new</b> films"]  # a name is text, whatever it holds
    page.until(lambda: page.all(".verdict .action"), seconds=120)
    assert page.text(".verdict .action") == "Ship it"
    assert page.text(".verdict").count("Ship: the treatment is better")
    assert page.texts(".columns td:first-child") == ["control", "new"]
    assert page.text(".ratio").startswith("✓ The arms have the users")
    assert len(page.all("svg.looks .point")) == DAYS
    assert page.one("svg.looks").get_attribute("aria-label").startswith("Day 6: +")
    assert page.texts(".metrics-place td:first-child")[0] == "clicks per impression"
    assert page.complaints() == []
    own = page.address.removesuffix("experiments")
    assert [each for each in page.requests() if not each.startswith((own, "about:", "data:"))] == []


def test_arms_that_cannot_be_compared_show_no_figures(opened, tmp_path):
    write_log(tmp_path / "log", better=0.05, lost=0.5)
    page = opened()
    page.until(lambda: page.all(".verdict .action"), seconds=120)
    assert page.text(".verdict .action") == "No verdict"
    assert page.text(".ratio").startswith("✗ Sample ratio mismatch")
    assert not page.all("svg.looks, .metrics-place table")


def test_results_are_behind_the_token(opened, tmp_path):
    write_log(tmp_path / "log", better=0.05)
    page = opened(token="secret")
    page.until(lambda: page.one("#token").is_displayed(), "nobody asked for the token")
    assert not page.all(".verdict")
    page.one("#token").send_keys("secret", "\n")
    page.until(lambda: page.all(".verdict .action"), seconds=120)
    page.script("sessionStorage.clear()")
    page.complaints()  # of the answer 401


@pytest.mark.parametrize("width", [380, 1400])
def test_the_page_fits_its_screen(opened, tmp_path, chromium, width):
    write_log(tmp_path / "log", better=0.05)
    before = chromium.get_window_size()
    chromium.set_window_size(width, 1000)
    try:
        page = opened()
        page.until(lambda: page.all("svg.looks"), seconds=120)
        assert page.script("return document.documentElement.scrollWidth <= innerWidth")
    finally:
        chromium.set_window_size(before["width"], before["height"])


def test_a_server_without_experiments_says_so(opened, shared):
    page = opened(shared)
    assert page.text("#experiments h2") == "No experiment runs"
