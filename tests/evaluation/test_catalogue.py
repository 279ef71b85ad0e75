"""Which items are ranked: the whole item table, or what somebody clicked."""

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from isotherm import EASE, ContentKNN, Interactions, Items, Popularity, evaluate, ramp_up
from isotherm.data import splits
from isotherm.errors import ItemsError, ParameterError
from isotherm.evaluation.candidates import candidate_sets
from isotherm.evaluation.lists import ranked_lists
from isotherm.report import Report
from tests.evaluation.test_runner import Fixed


@pytest.fixture
def split():
    """Items 10, 11, 12 are warm, 13 and 14 cold; the table knows 15 and 16 besides."""
    train = pl.DataFrame({"user_id": [1, 1, 2, 3], "item_id": [10, 11, 11, 12]})
    test = pl.DataFrame({"user_id": [1, 1, 2, 3], "item_id": [12, 13, 14, 10]})
    return splits.given(Interactions.from_frame(train), Interactions.from_frame(test))


@pytest.fixture
def table():
    ids = [16, 15, 14, 13, 12, 11, 10]
    return Items.from_frame(pl.DataFrame({"item_id": ids, "genre": [["a"]] * 7}))


def sizes(evaluation):
    return {name: each["items"] for name, each in evaluation.split["candidates"].items()}


def test_items_that_no_click_touches_are_candidates_by_hand(split, table):
    """Scores in the order 10 11 12 13 14 | 16 15, as the catalogue goes on in the order of the table."""
    row = [4, 1, 2, 3, 5, 7, 6]
    whole = evaluate(split, {"m": Fixed(row=row)}, table, ks=[1, 3])
    assert sizes(whole) == {"all": 7, "cold": 4, "warm": 3}
    assert whole.split["catalogue"] == "item table"
    metrics = whole.models["m"].metrics
    # 16 and 15 stand above everything: 14 is third for all, and a target of user 2 alone
    assert metrics["all"]["mrr@3"].mean == pytest.approx((0 + 1 / 3 + 0) / 3)
    assert metrics["cold"]["mrr@3"].mean == pytest.approx((0 + 1 / 3) / 2)
    assert metrics["warm"]["mrr@3"].mean == 1.0
    clicked = evaluate(split, {"m": Fixed(row=row[:5])}, table, ks=[1, 3], candidates="clicked")
    assert sizes(clicked) == {"all": 5, "cold": 2, "warm": 3}
    assert clicked.split["catalogue"] == "clicked items"
    assert clicked.models["m"].metrics["cold"]["mrr@3"].mean == pytest.approx((1 / 2 + 1) / 2)


def test_without_a_table_the_catalogue_is_what_was_clicked(split):
    found = evaluate(split, {"m": Popularity()})
    assert sizes(found) == {"all": 5, "cold": 2, "warm": 3}
    assert found.split["catalogue"] == "clicked items"


def test_table_without_more_items_changes_nothing(clicks, items):
    split = splits.mixed(clicks, seed=0)
    known = items.of(clicks.items)
    one, other = (
        evaluate(split, {"m": ContentKNN(), "e": EASE()}, known, ks=[5], candidates=candidates)
        for candidates in ("catalogue", "clicked")
    )
    for name in ("m", "e"):
        assert one.models[name].metrics == other.models[name].metrics


def test_few_new_items_are_ranked_among_all_that_nobody_clicked(clicks, item_frame):
    """hr@5 of a model that knows nothing is the share of 5 of all cold items, not of the hidden few."""
    more = pl.concat([item_frame.with_columns(item_id=pl.format("{}-{}", "item_id", n)) for n in range(20)])
    table = Items.from_frame(pl.concat([item_frame, more]).drop("plot"))
    split = splits.cold_items(clicks, seed=0)
    found = evaluate(split, {"p": Popularity()}, table, ks=[5])
    assert sizes(found) == {"all": 630, "cold": 610}
    assert found.models["p"].metrics["cold"]["recall@5"].mean < 0.05
    assert found.models["p"].metrics["all"]["coverage@5"] < 0.05


def test_every_new_item_may_stand_in_a_list(clicks, items):
    split = splits.mixed(clicks, seed=0).over(clicks.items.union(items.ids))
    model = ContentKNN().fit(split.train, items.of(split.train.items))
    lists = ranked_lists(model, split, candidate_sets(split), 30)["cold"]
    assert set(range(25, 30)) <= set(lists.ravel().tolist())


def test_table_that_lacks_a_clicked_item_is_refused(split, table):
    for candidates in ("catalogue", "clicked"):
        with pytest.raises(ItemsError, match="1 item_id in clicks is missing from items: 14"):
            evaluate(
                split, {"p": Popularity()}, table.take(np.array([0, 1, 3, 4, 5, 6])), candidates=candidates
            )


def test_sampled_negatives_stay_those_of_the_log(clicks, items):
    split = splits.leave_one_out(clicks, negatives=4, seed=0)
    found = evaluate(split, {"p": Popularity()}, items, ks=[5])
    assert found.split["catalogue"] == "sampled negatives"
    assert sizes(found) == {"all": 25}
    assert found.models["p"].metrics["all"]["hr@5"].mean == 1.0
    assert "hidden item and the sampled negatives" in Report("t", "s", found, 5, "p").html()


def test_what_candidates_are_is_one_of_two_words(split):
    with pytest.raises(ParameterError, match="candidates must be one of 'catalogue', 'clicked', not 'all'"):
        evaluate(split, {"p": Popularity()}, candidates="all")


def test_ramp_up_ranks_new_items_among_the_whole_table(clicks, items):
    models = lambda: [("p", Popularity())]  # noqa: E731
    whole = ramp_up(clicks, models, items, steps=(0, 2), ks=(5,))
    clicked = ramp_up(clicks, models, items, steps=(0, 2), ks=(5,), candidates="clicked")
    assert (whole.split["items"], whole.split["catalogue"]) == (30, "item table")
    assert (clicked.split["items"], clicked.split["catalogue"]) == (25, "clicked items")
    assert whole.split["new_items"] == clicked.split["new_items"]
    assert whole.split["test_clicks"] == clicked.split["test_clicks"]


def test_split_over_more_items_keeps_ids_clicks_and_times(clicks, items):
    timed = Interactions.from_frame(clicks.to_frame().with_row_index("timestamp"))
    split = splits.temporal(timed)
    wide = split.over(clicks.items.union(items.ids))
    assert wide.train.n_items == wide.targets.shape[1] == 30
    assert wide.describe() == split.describe()  # items that nobody clicked are none of the log
    assert wide.train.to_frame().equals(split.train.to_frame())
    assert (csr_array(wide.targets[:, :25]) != split.targets).nnz == 0
