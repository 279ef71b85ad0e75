"""What every model of the registry promises."""

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

import isotherm
from isotherm import Interactions, Items
from isotherm.errors import (
    InteractionsError,
    IsothermError,
    NotFittedError,
    ParameterError,
    UnknownIdError,
    UnsupportedError,
)
from isotherm.models.marec.backbones import BACKBONES
from isotherm.models.marec.embedding import EMBEDDINGS
from isotherm.models.registry import REGISTRY, model_class
from isotherm.models.scorer import WeighsMetadata
from isotherm.models.vae.training.settings import Training

SMALL = {"hidden": 64, "latent": 16, "training": Training(epochs=8)}
NETWORKS = ["multvae", "multdae", "recvae"]
SQUARED = "multdae of squared errors"
OF_HIDDEN = SMALL | {"reconstruction": "squared-error", "hidden": 0, "activation": "gelu"}
SETTINGS = dict.fromkeys(NETWORKS, SMALL) | {SQUARED: OF_HIDDEN, "ials": {"factors": 8}}
#: what it takes to learn the checkerboard; all else that is promised holds of any fit
LEARNING = SETTINGS | dict.fromkeys(NETWORKS, SMALL | {"training": Training(epochs=60)})
LEARNING[SQUARED] = OF_HIDDEN | {"training": Training(epochs=60, learning_rate=0.01)}
#: marec on its default backbone is in the registry already
MAREC = [f"marec on {backbone}" for backbone in BACKBONES if backbone != "ease"] + ["marec with siamese"]
MMR = "mmr on content-knn"
KERNEL_RIDGE = ["kernel-ridge on ials", "kernel-ridge on multvae"]
MODELS = [*REGISTRY, *MAREC, *KERNEL_RIDGE, MMR, SQUARED]
PERSONAL = [name for name in MODELS if name != "popularity"]
ADDING = ["content-knn", "marec", "kernel-ridge", *MAREC, *KERNEL_RIDGE, MMR]
RERANKED = ["mmr", MMR]  # whose order is not that of the scores
EXPLAINING = [
    "item-knn",
    "content-knn",
    "ease",
    "slim",
    "ials",
    "marec",
    "kernel-ridge",
    *MAREC[:2],
    MAREC[-1],
    KERNEL_RIDGE[0],
    *RERANKED,
]
COMPARING = [*EXPLAINING, *NETWORKS, SQUARED, *MAREC, *KERNEL_RIDGE]


def made(name, settings=SETTINGS):
    """A model with its defaults, but for networks and factors, which are few here."""
    outer, _, inner = name.partition(" on ")
    if inner:
        return model_class(outer)(**{"model" if outer == "mmr" else "backbone": made(inner, settings)})
    outer, _, inner = name.partition(" with ")
    if inner:
        return model_class(outer)(embedding=EMBEDDINGS[inner](width=8, heads=2))
    return model_class(name.partition(" of ")[0])(**settings.get(name, {}))


@pytest.fixture(params=MODELS)
def model(request):
    model = made(request.param)
    model.called = request.param
    return model


_FITTED, _ASKED = {}, {}  #: model name -> the fitted model: tests that only ask share it


@pytest.fixture
def fitted(model, clicks, items):
    """Fitted on clicks without weights; not to be changed."""
    if model.called not in _FITTED:
        _FITTED[model.called] = model.fit(clicks, items)
    return _FITTED[model.called]


@pytest.fixture
def asked(model, clicks, item_frame):
    """Fitted on clicks with weights 1 to 3, a user «new» without a click, and titles; not to be changed."""
    if model.called not in _ASKED:
        titled = item_frame.with_columns(title=pl.col("item_id") + ", the film")
        items = Items.from_frame(titled, kinds={"plot": "text", "title": "text"})
        x = csr_array((clicks.matrix.data, clicks.matrix.indices, [*clicks.matrix.indptr, clicks.n_clicks]))
        x.data = 1 + np.arange(x.nnz, dtype=np.float32) % 3
        log = Interactions.from_csr(x, [*clicks.users.values, "new"], clicks.items.values)
        _ASKED[model.called] = model.fit(log, items)
    return _ASKED[model.called]


def history_of(model, user):
    """What the model was fitted on of one user: item -> weight."""
    row = model.clicks_[model.users_.known_rows([user], "user")]
    return dict(zip(model.items_.take(row.indices), row.data.tolist(), strict=True))


def checkerboard():
    """Even users click even items, odd users odd ones; each misses exactly one, which must come first."""
    x = np.equal.outer(np.arange(40) % 2, np.arange(20) % 2).astype(np.float32)
    held_out = [(user, 2 * ((user // 2) % 10) + user % 2) for user in range(40)]
    for user, item in held_out:
        x[user, item] = 0
    kinds = [["even"] if item % 2 == 0 else ["odd"] for item in range(20)]
    table = pl.DataFrame({"item_id": np.arange(20), "parity": kinds})
    return csr_array(x), Items.from_frame(table), held_out


@pytest.mark.parametrize("name", PERSONAL)
def test_checkerboard_answer_comes_first(name):
    x, items, held_out = checkerboard()
    lists = made(name, LEARNING).fit(Interactions.from_csr(x), items).recommend(k=1)
    assert lists["item_id"].to_list() == [item for _, item in held_out]


def test_frame_has_the_contract_columns_and_the_users_own_ids(fitted, clicks):
    lists = fitted.recommend(k=4)
    assert lists.columns == ["user_id", "item_id", "score", "rank"]
    assert lists["score"].dtype == pl.Float32
    assert lists["user_id"].unique(maintain_order=True).to_list() == clicks.users.values.to_list()
    assert lists.height == 4 * clicks.n_users
    assert lists.filter(pl.col("user_id") == "u03")["rank"].to_list() == [1, 2, 3, 4]
    by_user = lists.group_by("user_id").agg(pl.col("score").diff().drop_nulls().max().alias("rise"))
    assert by_user["rise"].max() <= 0 or fitted.called in RERANKED


def test_seen_items_are_left_out_unless_wanted(fitted, clicks):
    seen = clicks.to_frame().select("user_id", "item_id")
    unseen, every = fitted.recommend(k=30), fitted.recommend(k=30, exclude_seen=False)
    assert unseen.height == 60 * 30 - seen.height
    assert unseen.join(seen, on=["user_id", "item_id"]).height == 0
    assert every.height == 60 * 30
    assert every.join(seen, on=["user_id", "item_id"]).height == seen.height


def test_k_larger_than_the_catalogue_gives_what_there_is(fitted, clicks):
    one = clicks.users.values[0]
    history = int(np.diff(clicks.matrix.indptr)[0])
    assert fitted.recommend([one], k=10_000).height == fitted.n_items - history


def test_candidates_are_the_only_items_shown(fitted):
    lists = fitted.recommend(k=30, exclude_seen=False, candidates=["i01", "i28"])
    assert lists.height == 2 * 60
    assert set(lists["item_id"]) == {"i01", "i28"}


def test_save_and_load_answer_alike(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    histories = [["i00", "i07"], [], ["i12"]]
    for way in ({}, {"mapped": True}, {"mapped": True, "verify": False}):
        loaded = isotherm.load(tmp_path / "model", **way)
        assert repr(loaded) == repr(fitted)
        assert loaded.recommend(k=30).equals(fitted.recommend(k=30))
        assert loaded.recommend_for(histories, k=5).equals(fitted.recommend_for(histories, k=5))


def test_same_seed_same_result(fitted, clicks, items):
    again = made(fitted.called).fit(clicks, items)
    assert again.recommend(k=30).equals(fitted.recommend(k=30))


def test_fold_in_of_a_known_history_answers_as_for_its_user(fitted, clicks):
    row = clicks.matrix[[5]]
    history = clicks.items.take(row.indices).to_list()
    known = fitted.recommend(["u05"], k=5)
    folded = fitted.recommend_for([history], k=5)
    assert folded["item_id"].to_list() == known["item_id"].to_list()
    np.testing.assert_allclose(folded["score"], known["score"], rtol=1e-5)
    assert folded["user_id"].to_list() == [0] * 5


def test_empty_history_is_answered_with_popular_items(fitted, clicks):
    popular = clicks.item_clicks()
    first = fitted.recommend_for([[]], k=3)
    if fitted.called in RERANKED:  # chosen among them, the most popular one first
        assert first["score"][0] == first["score"].max() == popular.max()
        return
    assert first["score"].to_list() == sorted(popular.tolist(), reverse=True)[:3]


def test_histories_may_repeat_an_item(fitted):
    once = fitted.recommend_for([["i03", "i04"]], k=5)
    assert fitted.recommend_for([["i03", "i04", "i03"]], k=5).equals(once)


def test_unknown_ids_are_named(fitted):
    with pytest.raises(UnknownIdError, match="1 unknown user id: 'nobody'; the model knows 60 users"):
        fitted.recommend(["u01", "nobody"])
    with pytest.raises(UnknownIdError, match="2 unknown item ids: 'x', 'y'"):
        fitted.recommend_for([["i00", "x"], ["y"]])
    with pytest.raises(UnknownIdError, match="unknown item id"):
        fitted.recommend(candidates=["nothing"])


def test_single_user_and_single_click(model):
    clicks = Interactions.from_csr(csr_array(np.array([[1.0, 0.0, 0.0]])))
    items = Items.from_frame(pl.DataFrame({"item_id": [0, 1, 2], "genre": [["a"], ["a"], ["b"]]}))
    lists = model.fit(clicks, items).recommend(k=2)
    assert lists["item_id"].to_list() in ([1, 2], [2, 1])
    assert lists["score"].is_finite().all()


def test_items_that_nobody_clicked_are_in_the_catalogue(fitted):
    assert fitted.n_items == 30
    assert set(fitted.recommend(k=30)["item_id"]) >= {"i25", "i26", "i27", "i28", "i29"}


def test_scores_of_a_block_are_finite_float32(fitted, clicks):
    block = csr_array((clicks.matrix.data, clicks.matrix.indices, clicks.matrix.indptr), shape=(60, 30))
    scores = fitted.score(block)
    assert scores.shape == (60, 30)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(fitted.score(block[:7]), scores[:7], rtol=1e-4, atol=1e-6)
    assert fitted.score(block[:0]).shape == (0, 30)


def test_a_block_that_does_not_fit_is_refused(fitted, clicks):
    for width in (25, 31, 10**7):
        block = csr_array((np.ones(1, np.float32), [width - 1], [0, 1]), shape=(1, width))
        with pytest.raises(InteractionsError, match=f"{width} columns, and the model knows 30 items"):
            fitted.score(block)
        if hasattr(fitted, "posterior"):
            with pytest.raises(InteractionsError, match=f"{width} columns, and the model knows 30 items"):
                fitted.posterior(block)
    with pytest.raises(InteractionsError, match="not ndarray"):
        fitted.score(np.zeros((1, 30), dtype=np.float32))


def test_before_fit_every_question_is_refused(model, tmp_path):
    for ask in (
        lambda: model.recommend(),
        lambda: model.recommend_for([[]]),
        lambda: model.score(csr_array((1, 3))),
        lambda: model.save(tmp_path / "m"),
    ):
        with pytest.raises(NotFittedError, match=r"not fitted yet; call fit\(clicks, items\) first"):
            ask()
    assert not list(tmp_path.iterdir())


def test_explanations_add_up_or_are_refused(fitted):
    if fitted.called not in EXPLAINING:
        with pytest.raises(UnsupportedError, match="no exact explanation"):
            fitted.explain("u01", "i01")
        return
    score = (
        fitted.recommend(["u01"], k=30, exclude_seen=False).filter(pl.col("item_id") == "i04")["score"].item()
    )
    explained = fitted.explain("u01", "i04")
    assert explained.score == pytest.approx(score, rel=1e-4, abs=1e-6)
    assert explained.by_item["share"].sum() == pytest.approx(score, rel=1e-4, abs=1e-6)
    assert explained.by_item["share"].is_sorted(descending=True)


def test_similar_items_never_name_the_item_itself(fitted):
    if fitted.called not in COMPARING:
        with pytest.raises(UnsupportedError, match="knows no similarity"):
            fitted.similar_items("i01")
        return
    near = fitted.similar_items("i01", k=5)
    assert near.columns == ["item_id", "score", "rank"]
    assert near["rank"].to_list() == [1, 2, 3, 4, 5]
    assert "i01" not in near["item_id"]
    assert near["score"].is_sorted(descending=True)


def same_lists(found, expected):
    """Whether two frames are the same lists with the same scores."""
    assert found.select("item_id", "rank").equals(expected.select("item_id", "rank"))
    assert found.height
    np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-5, atol=1e-6)


def test_the_same_history_with_its_weights_is_answered_as_its_user(asked):
    users = ["u05", "new", "u17"]
    known = asked.recommend(users, k=8)
    histories = [history_of(asked, user) for user in users]
    assert histories[1] == {}
    assert set(histories[0].values()) == {1.0, 2.0, 3.0}
    same_lists(asked.recommend_for(histories, k=8), known)
    backwards = [dict(reversed(history.items())) for history in histories]
    same_lists(asked.recommend_for(backwards, k=8), known)
    block = asked.clicks_[asked.users_.known_rows(users, "user")]
    log = Interactions.from_csr(block, ["one", "two", "three"], asked.items_.values[: block.shape[1]])
    found = asked.recommend_for(log, k=8)
    same_lists(found, known)
    assert found["user_id"].unique(maintain_order=True).to_list() == ["one", "two", "three"]


def many_histories(n, heavy=None):
    """Random histories over the thirty items, of one to twelve clicks; of ``heavy``, with large weights."""
    rng = np.random.default_rng(4)
    histories = []
    for number in range(n):
        items = rng.choice(30, rng.integers(1, 13), replace=False)
        weights = rng.uniform(0.5, 3, len(items)) * (1e6 if number == heavy else 1)
        histories.append({f"i{item:02}": float(weight) for item, weight in zip(items, weights, strict=True)})
    return histories


def test_a_list_never_depends_on_who_is_asked_for_beside_it(asked):
    histories = many_histories(1001, heavy=500)
    choose = {"k": 30, "exclude_seen": False}
    together = asked.recommend_for(histories, **choose)
    for number in (0, 1, 17, 499, 501, 1000):
        alone = asked.recommend_for([histories[number]], **choose)
        among = together.filter(pl.col("user_id") == number)
        assert alone["item_id"].equals(among["item_id"])
        np.testing.assert_array_equal(  # to the last bit
            alone["score"].to_numpy().view(np.int32), among["score"].to_numpy().view(np.int32)
        )
        few = asked.recommend_for(histories[number : number + 5], **choose)
        assert few.filter(pl.col("user_id") == 0).equals(alone)


def test_answers_as_arrays_are_the_lists_of_frames(asked):
    histories = [*many_histories(5), [], ["i03", "i03", "i04"]]
    every, flags = asked.items_.values.to_list(), np.arange(30) % 3 > 0
    each = np.random.default_rng(0).random((7, 30)) < 0.6
    few, lists = [every[n] for n in np.flatnonzero(flags)], [
        [every[n] for n in np.flatnonzero(row)] for row in each
    ]  # fmt: skip
    block = csr_array((7, 30), dtype=np.float32).tolil()
    for row, history in enumerate(histories):
        weights = history if isinstance(history, dict) else dict.fromkeys(history, 1.0)
        for item, weight in weights.items():
            block[row, every.index(item)] = weight
    for given, by_ids in (
        ({}, {}),
        ({"candidates": flags}, {"candidates": few}),
        ({"exclude": flags, "exclude_seen": False}, {"exclude": few, "exclude_seen": False}),
        ({"candidates": each}, {"candidates": lists}),
        ({"candidates": each, "exclude": few}, {"candidates": lists, "exclude": few}),
        ({"candidates": flags, "exclude": each}, {"candidates": few, "exclude": lists}),
    ):
        expected = asked.recommend_for(histories, k=8, **by_ids)
        for asked_with in (histories, csr_array(block)):
            found = asked.answer(asked_with, k=8, **given)
            shown = found.columns >= 0
            assert asked.items_.take(found.columns[shown]).to_list() == expected["item_id"].to_list()
            np.testing.assert_array_equal(found.scores[shown], expected["score"])
            assert (found.scores[~shown] == -np.inf).all()
            clicks = np.bincount(asked.clicks_.indices, minlength=30)
            np.testing.assert_array_equal(found.new, shown & (clicks[found.columns] == 0))
            assert found.by_popularity.tolist() == [False] * 5 + [True, False]
            assert not found.unknown.any()


def test_candidates_and_excluded_items_for_all_or_for_each_user(asked):
    users, choose = ["u05", "u17"], {"exclude_seen": False, "k": 30}
    best = asked.recommend(users, **choose)
    assert best.height == 60
    few, other = ["i07", "i26", "i03"], ["i03", "i12"]

    def left(of_first, of_second):
        """The same lists with only some items."""
        wanted = [
            (user, item) for user, items in zip(users, (of_first, of_second), strict=True) for item in items
        ]
        names = pl.DataFrame(wanted, schema=["user_id", "item_id"], orient="row")
        kept = best.join(names, on=["user_id", "item_id"], how="semi", maintain_order="left")
        return kept.with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("user_id"))

    every = asked.items_.values.to_list()
    others = [item for item in every if item not in other]
    for asked_for, expected in (
        ({"candidates": few}, left(few, few)),
        ({"candidates": [few, other]}, left(few, other)),
        ({"candidates": pl.Series([few, other])}, left(few, other)),
        ({"candidates": [few, []]}, left(few, [])),
        ({"exclude": other}, left(others, others)),
        ({"exclude": [[], other]}, left(every, others)),
        ({"candidates": few, "exclude": other}, left(few[:2], few[:2])),
        ({"candidates": [few, other], "exclude": [few[:1], other[:1]]}, left(few[1:], other[1:])),
        ({"candidates": few, "exclude": [other, every]}, left(few[:2], [])),
    ):
        histories = [history_of(asked, user) for user in users]
        for found in (
            asked.recommend(users, **choose, **asked_for),
            asked.recommend_for(histories, **choose, **asked_for).with_columns(
                user_id=pl.col("user_id").replace_strict([0, 1], users, return_dtype=pl.String)
            ),
        ):
            if asked.called in RERANKED:  # what is chosen from changes what is chosen
                keys = ["user_id", "item_id"]
                assert found.select(keys).sort(keys).equals(expected.select(keys).sort(keys))
            else:
                assert found["user_id"].equals(expected["user_id"])
                same_lists(found, expected)


def test_unknown_ids_are_skipped_or_answered_with_popular_items_and_counted(asked, caplog):
    caplog.set_level("INFO", "isotherm")
    users, few = ["u05", "nobody", "u17"], ["i07", "i26", "i03"]
    popular = asked.recommend(["new"], k=3, candidates=few, exclude=["i03"])
    assert popular.height == 2
    skipped = asked.recommend(users, k=3, unknown="skip")
    same_lists(skipped, asked.recommend(["u05", "u17"], k=3))
    assert skipped["user_id"].to_list() == ["u05"] * 3 + ["u17"] * 3
    assert "1 unknown user id skipped: 'nobody'" in caplog.text
    sets = {"candidates": [["i01", "x"], ["y"], ["i02"]], "exclude": [[], ["i01"], ["z", "i01"]]}
    skipped = asked.recommend(users, k=3, exclude_seen=False, unknown="skip", **sets)
    assert skipped.select("user_id", "item_id").rows() == [("u05", "i01"), ("u17", "i02")]
    assert "2 unknown item ids left out of candidates: 'x', 'y'" in caplog.text

    answered = asked.recommend(users, k=3, unknown="popular", candidates=[*few, "x"], exclude=["i03"])
    assert answered["user_id"].unique(maintain_order=True).to_list() == users
    same_lists(answered.filter(pl.col("user_id") == "nobody"), popular)
    assert "1 unknown user id answered with the popular items: 'nobody'" in caplog.text

    histories = [["x", "i01"], ["x"], []]
    only = {"k": 3, "candidates": few, "exclude": ["i03"]}
    skipped = asked.recommend_for(histories, unknown="skip", **only)
    assert skipped["user_id"].unique().to_list() == [0, 2]
    same_lists(skipped.filter(pl.col("user_id") == 0), asked.recommend_for([["i01"]], **only))
    answered = asked.recommend_for(histories, unknown="popular", **only)
    for user in (1, 2):
        same_lists(answered.filter(pl.col("user_id") == user), popular)
    assert "1 unknown item id left out of histories: 'x'" in caplog.text
    assert "without a known item: 1 of 3 histories; answered with the popular items" in caplog.text


def test_what_was_shown_to_a_user_without_history_is_explained(asked):
    shown = asked.recommend(["new"], k=3)
    for item, score in shown.select("item_id", "score").iter_rows():
        explained = asked.explain("new", item)
        assert explained.answered_by == "popularity"
        assert explained.score == score > 0
        assert explained.by_item.schema == {
            "item_id": pl.String,
            "title": pl.String,
            "share": pl.Float32,
            "percent": pl.Float64,
        }
        assert explained.by_item.height == 0
        assert explained.by_field is None
        assert explained.by_term is None
        clicks = f"“{item}, the film” has {score:.0f} clicks"
        assert (
            explained.text() == f"You have clicked nothing yet, so items are ranked by popularity: {clicks}."
        )
    if asked.called in EXPLAINING:
        assert asked.explain("u05", "i07").answered_by == "model"


def test_percents_add_up_and_the_text_names_titles(asked):
    if asked.called not in EXPLAINING:
        return
    speaks = set()
    for item in ("i07", "i27"):
        explained = asked.explain("u05", item)
        for table in filter(lambda table: table is not None, (explained.by_item, explained.by_field)):
            total, percent = float(explained.score), table["percent"]
            assert table["share"].sum() == pytest.approx(total, rel=2e-3, abs=1e-5)
            assert percent.drop_nulls().is_between(0, 100 + 1e-6).all()
            speaks_for = (table["share"] > 0).any()
            assert percent.sum() == pytest.approx(100 if speaks_for else 0)
            assert (table["share"] < 0).equals(percent.is_null())
        if explained.by_term is not None:
            assert explained.by_term["share"].sum() == pytest.approx(explained.score, rel=2e-3, abs=1e-5)
        assert explained.new == (item == "i27")
        text, best = explained.text(), explained.by_item
        assert "\n" not in text
        if (best["share"] > 0).any():
            speaks.add(item)
            assert f"Because you clicked “{best['item_id'][0]}, the film”" in text
        if explained.new:
            assert "Nobody has clicked " in text
        else:
            assert f"“{item}, the film” has {explained.item_clicks} clicks of its own." in text
    assert "i07" in speaks


def test_lists_carry_titles_and_what_is_new_where_they_are_wanted(asked, tmp_path):
    asked.save(tmp_path / "m")
    for model in (asked, isotherm.load(tmp_path / "m")):
        lists = model.recommend(["u05", "new"], k=30, titles=True)
        contract = ["user_id", "item_id", "score", "rank"]
        assert lists.columns == [*contract, "title", "new", "answered_by"]
        assert lists.select(contract).equals(model.recommend(["u05", "new"], k=30))
        assert lists["title"].equals((lists["item_id"] + ", the film").rename("title"))
        assert lists["new"].to_list() == [item >= "i25" for item in lists["item_id"]]
        by = dict(lists.select("user_id", "answered_by").unique().iter_rows())
        assert by == {"u05": "model", "new": "popularity"}
        histories = model.recommend_for([["i01"], []], k=2, titles=True)
        assert histories["answered_by"].to_list() == ["model"] * 2 + ["popularity"] * 2
    if asked.called in COMPARING:
        near = asked.similar_items("i01", k=30, titles=True)
        assert near.columns == ["item_id", "score", "rank", "title", "new"]
        assert near.drop("title", "new").equals(asked.similar_items("i01", k=30))
        assert near["new"].to_list() == [item >= "i25" for item in near["item_id"]]


def test_users_answered_by_popularity_are_counted(asked, caplog):
    with caplog.at_level("INFO"):
        asked.recommend(["u05", "new"], k=2)
        asked.recommend_for([["i01"], [], []], k=2)
        asked.score_pairs(["new"], ["i01"])
    assert "answered by popularity: 1 of 2 users, for want of a usable history" in caplog.text
    assert "answered by popularity: 2 of 3 users" in caplog.text
    assert "answered by popularity: 1 of 1 user," in caplog.text
    caplog.clear()
    with caplog.at_level("INFO"):
        asked.recommend(["u05"], k=2)
    assert "popularity" not in caplog.text


def test_importance_is_made_of_shares_of_the_fields(asked):
    if not isinstance(asked, WeighsMetadata):
        return
    importance = asked.importance()
    assert importance.schema == {"field": pl.String, "share": pl.Float64, "percent": pl.Float64}
    fields = {"genres", "plot", "year", "clip", "title"}
    assert set(importance["field"]) - {"learned embedding"} == fields
    assert importance["share"].sum() == pytest.approx(1)
    assert importance["percent"].sum() == pytest.approx(100)
    assert (importance["share"] >= 0).all()
    assert importance["share"].is_sorted(descending=True)
    assert importance.equals(asked.importance())


def test_similar_items_among_candidates_without_excluded_ones(asked):
    if asked.called not in COMPARING:
        with pytest.raises(UnsupportedError, match="knows no similarity"):
            asked.similar_items("i01", candidates=["i02"])
        return
    every = asked.similar_items("i01", k=100)
    near = np.delete(
        asked._scorer.item_similarities(int(asked.items_.rows(["i01"])[0])), asked.items_.rows(["i01"])
    )
    assert every.height == np.count_nonzero(near) >= 20
    assert (every["score"] != 0).all()  # what has nothing in common with it is not shown
    few = ["i07", "i26", "i03", "i01"]
    near = asked.similar_items("i01", k=100, candidates=few, exclude=["i26"])
    assert sorted(near["item_id"]) == ["i03", "i07"]
    assert near["rank"].to_list() == [1, 2]
    expected = every.filter(pl.col("item_id").is_in(["i03", "i07"]))
    assert near.select("item_id", "score").equals(expected.select("item_id", "score"))
    assert asked.similar_items("i01", candidates=[]).height == 0
    with pytest.raises(UnknownIdError, match="unknown item id: 'x'"):
        asked.similar_items("i01", candidates=["x"])
    assert asked.similar_items("i01", k=100, exclude=["x"]).equals(every)


def test_similar_users_are_those_of_the_largest_cosine(asked):
    near = asked.similar_users("u05", k=100)
    assert near.columns == ["user_id", "score", "rank"]
    assert near["score"].dtype == pl.Float32
    vectors = asked._scorer.user_vectors(asked.histories_of(np.arange(60)))
    latent = isinstance(vectors, np.ndarray)
    assert latent == any(name in asked.called for name in ("ials", "multvae", "multdae", "recvae"))
    vectors = vectors if latent else vectors.toarray()
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = vectors @ vectors[5]
    expected[5] = -np.inf
    order = np.argsort(-expected, kind="stable")[: near.height]
    assert near.height == (59 if latent else (expected > 0).sum()) > 30
    np.testing.assert_allclose(near["score"], expected[order], atol=1e-5)
    np.testing.assert_allclose(
        expected[asked.users_.known_rows(near["user_id"], "user")], near["score"], atol=1e-5
    )
    assert near["rank"].to_list() == list(range(1, near.height + 1))
    assert asked.similar_users("u05", k=2).equals(near.head(2))
    assert asked.similar_users("new").height == 0
    assert asked.similar_users("new").schema == near.schema


def test_scores_of_pairs_are_those_of_the_lists(asked):
    users, items = ["u17", "u05", "u17", "new", "u05", "u05"], ["i03", "i26", "i01", "i03", "i00", "i26"]
    pairs = asked.score_pairs(users, items)
    assert pairs.columns == ["user_id", "item_id", "score"]
    assert pairs["user_id"].to_list() == users
    assert pairs["item_id"].to_list() == items
    lists = asked.recommend(["u05", "u17", "new"], k=30, exclude_seen=False)
    expected = pairs.drop("score").join(lists, on=["user_id", "item_id"], how="left", maintain_order="left")
    np.testing.assert_allclose(pairs["score"], expected["score"], rtol=1e-5, atol=1e-6)
    assert pairs["score"].dtype == pl.Float32
    nothing = asked.score_pairs([], [])
    assert nothing.height == 0
    assert nothing.schema == pairs.schema


def test_new_items_can_be_recommended_at_once_or_are_refused(model, clicks, items, item_frame, tmp_path):
    fitted = model.fit(clicks, items)
    new = Items.from_frame(
        item_frame.head(2).with_columns(item_id=pl.Series(["n1", "n2"])), kinds={"plot": "text"}
    )
    if fitted.called not in ADDING:
        with pytest.raises(UnsupportedError, match="cannot add items without a refit"):
            fitted.add_items(new)
        return
    before = fitted.recommend(k=30, candidates=[f"i{n:02}" for n in range(30)])
    fitted.add_items(new)
    assert fitted.recommend(k=30, candidates=[f"i{n:02}" for n in range(30)]).equals(before)
    shown = fitted.recommend(k=2, candidates=["n1", "n2"])
    assert shown.height == 2 * 60
    assert (shown["score"] != 0).any()
    assert fitted.recommend_for([["n1", "i00"]], k=3).height == 3
    fitted.save(tmp_path / "m")
    assert isotherm.load(tmp_path / "m").recommend(k=2, candidates=["n1", "n2"]).equals(shown)


def test_item_table_is_checked(model, clicks, items):
    with pytest.raises(IsothermError, match="1 item_id in clicks is missing from items: 'i00'"):
        model.fit(clicks, items.take(np.arange(1, 30)))
    if model.needs_items:
        with pytest.raises(ParameterError, match="needs an item table"):
            model.fit(clicks)
    else:
        assert model.fit(clicks).n_items == 25


def test_missing_fields_are_no_obstacle(model, clicks, item_frame):
    sparse = item_frame.with_columns(genres=pl.when(pl.int_range(30) % 2 == 0).then(pl.col("genres")))
    items = Items.from_frame(sparse.drop("clip"), kinds={"plot": "text"})
    scores = model.fit(clicks, items).recommend(k=30, exclude_seen=False)["score"]
    assert len(scores) == 60 * 30
    assert scores.is_finite().all()
