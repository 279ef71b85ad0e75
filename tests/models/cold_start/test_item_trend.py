"""The trend of items: recent clicks over all clicks, and when scores follow it."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

import isotherm
from isotherm import EASE, Interactions, Items, KernelRidge, MARec
from isotherm.errors import ParameterError, UnsupportedError
from isotherm.models.cold_start.calibration import WarmAndCold, user_ndcgs
from isotherm.models.cold_start.item_trend import POWERS, ItemTrend, choose_trend, popularity_trend
from isotherm.models.cold_start.new_item_share import CutInTime, UserLists
from isotherm.ranking.topk import TopK

MODELS = {
    "kernel-ridge": lambda **options: KernelRidge(backbone=EASE(l2=20.0), steps=3, draws=1, **options),
    "marec": lambda **options: MARec(backbone=EASE(l2=20.0), **options),
}


def fashion_log(n_users=500, n_clicks=20_000, n_items=150, seed=0):
    """A log whose users click, of two kinds of items, mostly those of the moment: fashion moves on."""
    rng = np.random.default_rng(seed)
    users = np.sort(rng.integers(n_users, size=n_clicks))  # one user after the other
    middle = np.arange(n_clicks) / n_clicks
    items = ((0.2 + 0.8 * middle) * n_items - rng.exponential(0.15 * n_items, n_clicks)).astype(int)
    items = np.maximum(items, 0)
    items = items - items % 2 + users % 2
    frame = pl.DataFrame({"user_id": users, "item_id": items, "timestamp": np.arange(n_clicks)})
    return Interactions.from_frame(frame.unique(["user_id", "item_id"], keep="first", maintain_order=True))


def table_of(log):
    ids = log.items.values.to_list()
    return Items.from_frame(pl.DataFrame({"item_id": ids, "kind": [["even", "odd"][i % 2] for i in ids]}))


def test_a_trend_is_recent_clicks_over_all_clicks():
    """Ten early clicks on item 0, ten late ones on item 1; the weight of a click halves with a tenth."""
    clicks = csr_array(np.tile(np.array([[1, 1, 0]], dtype=np.float32), (10, 1)))
    times = np.column_stack([np.arange(10), 10 + np.arange(10)]).ravel()
    ages = 1 - (np.arange(20) + 1) / 20
    weights = 2.0 ** (-ages / 0.1)
    weights /= weights.mean()
    expected = [(weights[:10].sum() + 10) / 20, (weights[10:].sum() + 10) / 20, 1]
    np.testing.assert_allclose(popularity_trend(clicks, times), expected)
    same = popularity_trend(clicks, np.zeros(20))
    np.testing.assert_allclose(same, 1)


def shown(worth, n_users=300, noise=0.3, seed=0):
    """What is shown at a cut under each power: by the better ones, ``worth`` more users find their item."""
    rng, cuts = np.random.default_rng(seed), []
    lots, targets = rng.random(n_users), np.zeros((n_users, 20), dtype=np.float32)
    targets[:, 0] = 1
    for step in range(len(POWERS)):
        hit = lots < noise + worth * min(step, 2) / 2
        columns = np.where(hit[:, None], np.arange(10), np.arange(1, 11)).astype(np.int32)
        scores = np.tile(np.arange(10, 0, -1, dtype=np.float32), (n_users, 1))
        lists = UserLists(WarmAndCold(TopK(columns, scores), TopK(columns + 10, scores)), np.full(n_users, 5))
        reference = user_ndcgs(columns, csr_array(targets))
        cuts.append(CutInTime(lists, lists, csr_array(targets), reference, 5, 0.1))
    return cuts


def test_the_least_power_that_is_surely_better_is_chosen():
    assert choose_trend("model", "auto", [shown(0.2), shown(0.22, seed=1)])[0] == POWERS[2]
    assert choose_trend("model", "auto", [shown(0.0), shown(0.0, seed=1)])[0] == 0
    assert choose_trend("model", "auto", [shown(0.2)])[0] == 0  # one period says nothing of the next
    assert choose_trend("model", "auto", [shown(0.3), shown(-0.1, seed=1)])[0] == 0  # nor do two that differ
    assert choose_trend("model", "auto", [shown(0.3), shown(0.13, seed=1)])[0] == 0  # lucky twice
    three = [shown(0.3), shown(0.13, seed=1), shown(0.2, seed=2)]
    assert choose_trend("model", "auto", three)[0] > 0  # as far apart, but three
    assert choose_trend("model", "auto", []) == (0, [])
    assert choose_trend("model", 0.3, []) == (0.3, [])


def test_a_log_without_times_has_no_trend():
    log = fashion_log(n_clicks=500)
    assert set(ItemTrend.of(replace(log, timestamps=None), 0.5).factors) == {1}
    assert set(ItemTrend.of(log, 0.0).factors) == {1}
    assert len(ItemTrend.of(log, 0.5).appended(3).factors) == log.n_items + 3


@pytest.fixture(scope="module", params=MODELS)
def fitted(request):
    log = fashion_log()
    return MODELS[request.param](new_item_share=0.1).fit(log, table_of(log)), MODELS[request.param], log


def test_models_follow_fashion(fitted):
    model, make, log = fitted
    assert model.trend_.power > 0
    plain = make(trend=0, new_item_share=0.1).fit(log, table_of(log))
    histories = model.histories_of(np.arange(300))
    late = (log.items.values.to_numpy()[model.rank(model.score(histories), 10, [None])[0].columns]).mean()
    early = (log.items.values.to_numpy()[plain.rank(plain.score(histories), 10, [None])[0].columns]).mean()
    assert late > early + 5


def test_scores_are_those_of_no_trend_times_the_factors(fitted):
    _, make, log = fitted
    table = table_of(log)
    plain, half = (make(trend=power, new_item_share=0.1).fit(log, table) for power in (0, 0.5))
    histories = plain.histories_of(np.arange(20))
    factors = popularity_trend(log.matrix, log.click_times()) ** 0.5
    np.testing.assert_allclose(half.score(histories), plain.score(histories) * factors, rtol=1e-4, atol=1e-6)
    item = int(np.argmax(factors))
    explained = half.explain(half.users_.values[3], half.items_.values[item])
    assert explained.score == pytest.approx(half.score(half.histories_of(np.array([3])))[0, item], rel=1e-3)
    assert explained.by_item["share"].sum() == pytest.approx(explained.score, rel=1e-3)


def test_the_trend_is_saved_and_follows_a_refit(fitted, tmp_path):
    model, _, log = fitted
    histories = model.histories_of(np.arange(20))
    model.save(tmp_path / "model")
    loaded = isotherm.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.score(histories), model.score(histories))
    loaded.refit(log, table_of(log))
    np.testing.assert_allclose(loaded.trend_.factors, model.trend_.factors)
    loaded.add_items(pl.DataFrame({"item_id": [9_999], "kind": ["odd"]}))
    assert loaded.trend_.factors[-1] == 1
    assert loaded.score(csr_array((1, loaded.n_items), dtype=np.float32)).shape == (1, loaded.n_items)


def test_a_trend_that_cannot_be_known_is_refused(fitted):
    _, make, log = fitted
    with pytest.raises(ParameterError, match=r"trend=0\.5 needs the times"):
        make(trend=0.5).fit(replace(log, timestamps=None), table_of(log))
    for wrong in (-1, 2, "much", None):
        with pytest.raises(ParameterError, match="trend"):
            make(trend=wrong)


def test_a_backbone_without_click_shares_takes_no_trend():
    pytest.importorskip("torch")
    from isotherm import MultVAE, Training

    log = fashion_log(n_clicks=2_000)
    backbone = MultVAE(hidden=8, latent=4, training=Training(epochs=1))
    with pytest.raises(UnsupportedError, match="knows no trend"):
        MARec(backbone=backbone, beta=1.0, trend=0.5).fit(log, table_of(log))


def test_a_random_split_has_no_trend(fitted):
    from isotherm.data.splits import mixed

    _, make, log = fitted
    assert make().fit(mixed(log).train, table_of(log)).trend_.power == 0


def test_a_refit_without_times_says_that_no_trend_is_followed(fitted, capsys):
    model, make, log = fitted
    newer = make(new_item_share=0.1).fit(log, table_of(log))
    capsys.readouterr()
    newer.refit(replace(log, timestamps=None), table_of(log), verbose=True)
    assert "no times now, so scores do not follow the trend" in capsys.readouterr().err
    assert set(newer.trend_.factors) == {1}
    newer.refit(log, table_of(log))
    np.testing.assert_allclose(newer.trend_.factors, model.trend_.factors)
    given = make(trend=0.5).fit(log, table_of(log))
    with pytest.raises(ParameterError, match=r"trend=0\.5 needs the times"):
        given.refit(replace(log, timestamps=None), table_of(log))


def test_the_share_of_new_items_is_told_without_times(fitted, capsys):
    _, make, log = fitted
    table = Items.from_frame(pl.DataFrame({"item_id": range(1_000), "kind": ["even", "odd"] * 500}))
    model = make().fit(replace(log, timestamps=None), table, verbose=True)
    told = capsys.readouterr().err
    assert "the log has no times; new items score as a random fifth of the items would" in told
    assert (
        f"new items get {model.new_item_share_:.1%} of the lists; new_item_share sets another share" in told
    )
