"""What is on the air answers as the model does, obeys every rule, and changes in one step."""

import threading

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isotherm import EASE, MMR, ContentKNN, Interactions
from isotherm.errors import (
    InteractionsError,
    ItemsError,
    ModelFolderError,
    ParameterError,
    UnknownIdError,
    UnsupportedError,
)
from isotherm.serving.catalogue.items import LiveItem
from isotherm.serving.catalogue.snapshot import Snapshot
from isotherm.serving.live.model import LiveModel
from isotherm.serving.live.requests import Asker, Rules
from tests.serving.conftest import GENRES, N_ITEMS

IDS = [f"f{n:02}" for n in range(N_ITEMS)]
COLD = set(IDS[-6:])


def ids(answer):
    return [item.item_id for item in answer.items]


def test_lists_are_those_of_the_model(live, model):
    for user in ("u0", "u17"):
        frame = model.recommend([user], k=8)
        answer = live.recommend(Asker(user=user), k=8)
        assert ids(answer) == frame["item_id"].to_list()
        assert [item.score for item in answer.items] == pytest.approx(frame["score"].to_list())
    weighted = live.recommend(Asker(history=[("f01", 2.0), ("f05", 1.0)]), k=8)
    assert ids(weighted) == model.recommend_for([{"f01": 2.0, "f05": 1.0}], k=8)["item_id"].to_list()
    assert (weighted.answered_by, weighted.unknown, weighted.model) == ("model", 0, "first")
    assert weighted.items[0].title == f"Film {int(ids(weighted)[0][1:])}"


def test_empty_histories_get_what_is_popular_and_are_told_so(live, model):
    popular = model.recommend_for([[]], k=5)["item_id"].to_list()
    for asker, unknown in (
        (Asker(history=[]), 0),
        (Asker(user="nobody"), 1),
        (Asker(history=[("x", 1.0), ("y", 1.0), ("x", 1.0)]), 2),
    ):
        answer = live.recommend(asker, k=5)
        assert (ids(answer), answer.answered_by, answer.unknown) == (popular, "popularity", unknown)


def test_a_history_that_says_nothing_to_the_model_gets_what_is_popular():
    x = np.float32([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0]])
    live = LiveModel(
        EASE(l2=1.0).fit(Interactions.from_csr(x, ["a", "b", "c"], ["tea", "cup", "pot", "mug"]))
    )
    silent, other = Asker(history=[("mug", 1.0)]), Asker(history=[("mug", 1.0), ("tea", 1.0)])
    answer = live.recommend(silent, k=2)
    assert (answer.answered_by, ids(answer), answer.items[0].score) == ("popularity", ["tea", "cup"], 3.0)
    assert live.recommend(other, k=2).answered_by == "model"
    assert live.explain(silent, "tea").answered_by == "popularity"
    assert live.score(silent, ["cup", "mug"]) == [2.0, 0.0]


def test_the_unknown_is_refused_by_option(live):
    refuse = Rules(unknown="refuse")
    with pytest.raises(UnknownIdError, match="nobody"):
        live.recommend(Asker(user="nobody"), rules=refuse)
    with pytest.raises(UnknownIdError, match="history: 1 unknown item: 'x'"):
        live.recommend(Asker(history=[("x", 1.0)]), rules=refuse)
    with pytest.raises(UnknownIdError, match="candidates"):
        live.recommend(Asker(user="u0"), rules=Rules(candidates=["x"], unknown="refuse"))


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf"), 1e39, 1e-60])
def test_what_is_no_weight_is_refused(live, weight):
    with pytest.raises(InteractionsError, match="f01"):
        live.recommend(Asker(history=[("f01", weight)]))


some = st.lists(st.sampled_from(IDS), max_size=8)


@settings(deadline=None, max_examples=150)
@given(
    history=some,
    k=st.integers(1, 30),
    exclude=some,
    candidates=st.none() | some,
    genres=st.lists(st.sampled_from(GENRES), max_size=2),
    hidden=some,
    late=some,
    early=some,
    removed=some,
    cold=st.tuples(st.integers(0, 8), st.none() | st.integers(0, 8)),
    diversity=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_every_rule_is_obeyed(
    model, films, history, k, exclude, candidates, genres, hidden, late, early, removed, cold, diversity
):
    live = LiveModel(model, clock=lambda: 1000.0)
    live.put_items(
        [LiveItem(item, available_until=1000.0) for item in early]
        + [LiveItem(item, available_from=1000.5) for item in late]
        + [LiveItem(item, hidden=True) for item in hidden]
    )
    for item in set(removed):
        live.remove_item(item)
    least, most = min(cold[0], k), None if cold[1] is None else max(cold[1], min(cold[0], k))
    filters = {"genres": genres} if genres else {}
    rules = Rules(
        exclude=exclude, candidates=candidates, filters=filters,
        cold_least=least, cold_most=most, diversity=diversity,
    )  # fmt: skip
    shown = ids(live.recommend(Asker(history=[(item, 1.0) for item in history]), k, rules))
    gone = {*hidden, *late, *early, *removed}
    of_genre = {row["item_id"] for row in films.to_dicts() if not genres or set(genres) & set(row["genres"])}
    allowed = (set(IDS if candidates is None else candidates) & of_genre) - {*history, *exclude, *gone}
    assert len(set(shown)) == len(shown)
    assert set(shown) <= allowed
    n_new, n_can = len(COLD & set(shown)), len(COLD & allowed)
    assert n_new >= min(least, n_can)
    others = len(allowed - COLD)
    assert most is None or n_new <= most
    assert len(shown) == min(k, others + min(n_can, k if most is None else most))


def test_new_items_take_the_last_places_and_keep_the_order(live):
    asker = Asker(user="u3")
    free = live.recommend(asker, k=6, rules=Rules(cold_most=0))
    held = live.recommend(asker, k=6, rules=Rules(cold_least=2, cold_most=2))
    assert [item.cold for item in free.items] == [False] * 6
    warm = [item.item_id for item in held.items if not item.cold]
    assert warm == ids(free)[:4]
    assert [item.rank for item in held.items] == list(range(1, 7))


def test_diversity_is_that_of_mmr(live, clicks, films):
    from isotherm import Items, KernelRidge

    varied = MMR(model=KernelRidge(), diversity=0.7).fit(clicks, Items.from_frame(films))
    expected = varied.recommend(["u5"], k=10)["item_id"].to_list()
    answer = live.recommend(Asker(user="u5"), k=10, rules=Rules(diversity=0.7))
    assert ids(answer) == expected
    assert ids(answer) != ids(live.recommend(Asker(user="u5"), k=10))


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"cold_least": 3, "cold_most": 2}, "cold.min"),
        ({"diversity": 1.5}, "diversity"),
        ({"unknown": "skip"}, "unknown"),
    ],
)
def test_what_is_no_rule_is_refused(rules, words):
    with pytest.raises(ParameterError, match=words):
        Rules(**rules)


def test_filters_name_a_field_that_is_there(live):
    with pytest.raises(ParameterError, match="there are: genres"):
        live.recommend(Asker(user="u0"), rules=Rules(filters={"studio": ["x"]}))
    with pytest.raises(ParameterError, match="k is 2"):
        live.recommend(Asker(user="u0"), 2, Rules(cold_least=3))
    assert not live.recommend(Asker(user="u0"), rules=Rules(filters={"genres": ["none"]})).items


def test_a_new_item_is_shown_at_once_changed_hidden_and_removed(live, now):
    space = Rules(filters={"genres": ["space"]}, candidates=["new"])
    asker = Asker(user="u0")
    live.put_items([LiveItem("new", {"title": "<script>", "genres": ["space"]})])
    assert live.recommend(asker, rules=space).items[0].title == "<script>"
    assert live.recommend(asker, rules=space).items[0].cold
    live.put_items([LiveItem("new", hidden=True)])
    assert not live.recommend(asker, rules=space).items
    live.put_items([LiveItem("new", available_from=2000.0)])
    assert not live.recommend(asker, rules=space).items
    now[0] = 2000.0
    assert ids(live.recommend(asker, rules=space)) == ["new"]  # with the genre that was put before
    live.put_items([LiveItem("new", {"genres": ["war"]})])
    assert not live.recommend(asker, rules=space).items
    live.remove_item("new")
    with pytest.raises(UnknownIdError):
        live.remove_item("new")
    with pytest.raises(UnknownIdError):
        live.explain(asker, "new")


def test_an_added_item_scores_as_the_model_scores_it(live, neighbours):
    from copy import copy

    record = {"item_id": "new", "title": "T", "genres": ["space", "war"]}
    on_air = LiveModel(neighbours)
    on_air.put_items([LiveItem("other", {"genres": ["love"]})])
    on_air.put_items([LiveItem("new", {"genres": ["love"]})])
    on_air.put_items([LiveItem("new", {"title": "T", "genres": ["space", "war"]})])
    alone = copy(neighbours).add_items([record])
    expected = alone.recommend(["u0"], k=30).filter(item_id="new")["score"].to_list()
    assert on_air.score(Asker(user="u0"), ["new"]) == pytest.approx(expected)


def test_metadata_of_a_fitted_item_renames_and_filters_it(live):
    live.put_items([LiveItem("f01", {"title": "Other", "genres": ["opera"]})])
    answer = live.recommend(Asker(history=[("f02", 1.0)]), rules=Rules(filters={"genres": ["opera"]}))
    assert [(item.item_id, item.title) for item in answer.items] == [("f01", "Other")]


def test_what_fails_changes_nothing(live, clicks):
    before = live.snapshot
    with pytest.raises(ItemsError):
        live.put_items([LiveItem("ok", {}), LiveItem("bad", {"item_id": "x"})])
    assert live.snapshot is before
    ease = LiveModel(EASE(l2=1.0).fit(clicks))
    before = ease.snapshot
    with pytest.raises(UnsupportedError, match="cannot add items"):
        ease.put_items([LiveItem("f01", hidden=True), LiveItem("new", {})])
    assert ease.snapshot is before


def test_ids_are_of_the_model_s_type(films, clicks):
    from isotherm import Interactions, Items

    numbered = Interactions.from_csr(clicks.matrix, clicks.users.values, list(range(N_ITEMS)))
    table = films.with_columns(item_id=np.arange(N_ITEMS))
    live = LiveModel(ContentKNN().fit(numbered, Items.from_frame(table)))
    live.put_items([LiveItem("77", {"genres": ["space"]})])
    assert ids(live.recommend(Asker(history=[("0", 1.0)]), rules=Rules(candidates=[77]))) == [77]
    for wrong in ("x", "007", str(2**70)):
        with pytest.raises(ItemsError, match="whole numbers"):
            live.put_items([LiveItem(wrong, {})])


def test_similar_items_obey_the_rules(neighbours):
    live = LiveModel(neighbours)
    alike = live.similar("f01", 30)["item_id"].to_list()
    assert alike[:3] == neighbours.similar_items("f01", 3)["item_id"].to_list()
    live.put_items([LiveItem(alike[0], hidden=True)])
    rules = Rules(exclude=[alike[1]], filters={"genres": ["love"]})
    left = live.similar("f01", 30, rules)["item_id"].to_list()
    assert left == [i for i in alike[2:] if "love" in (GENRES[int(i[1:]) % 3], GENRES[int(i[1:]) % 2])]


def test_explanations_add_up_to_the_score(live, model):
    asker = Asker(history=[("f01", 1.0), ("f04", 1.0)])
    why = live.explain(asker, "f22")
    assert why.score == pytest.approx(live.score(asker, ["f22"])[0], abs=1e-5)
    assert set(why.by_item["item_id"]) == {"f01", "f04"}
    assert live.explain(Asker(user="u4"), "f22").score == pytest.approx(model.explain("u4", "f22").score)
    assert live.explain(Asker(history=[]), "f02").answered_by == "popularity"
    assert live.score(asker, ["nothing"]) == [None]


def test_audience_is_who_would_be_shown_the_item(live, model):
    frame = model.recommend(k=5)
    wanted = frame.filter(item_id="f20")
    audience = live.audience("f20", k=5)
    assert set(audience.users) == set(wanted["user_id"])
    assert audience.share_of_slots == pytest.approx(len(wanted) / len(frame))
    version = live.snapshot.version
    proposed = live.audience(LiveItem("new", {"genres": ["space"]}), k=5)
    assert (live.snapshot.version, "new" in live.snapshot.columns) == (version, False)
    live.put_items([LiveItem("new", {"genres": ["space"]})])
    shown = [
        user for user in (f"u{n}" for n in range(40)) if "new" in ids(live.recommend(Asker(user=user), 5))
    ]
    assert set(proposed.users) == set(shown)
    live.put_items([LiveItem("f20", hidden=True)])
    assert live.audience("f20", k=5, unavailable=True).users  # who would be shown it, were it not hidden
    with pytest.raises(ParameterError, match="known"):
        live.audience(LiveItem("new", {}))


def test_swap_keeps_the_changes_and_rolls_back(live, neighbours, clicks, films):
    live.put_items([LiveItem("new", {"genres": ["space"]}), LiveItem("f01", hidden=True)])
    assert live.swap(neighbours, "second") == 20
    only = Rules(candidates=["new", "f01"])
    answer = live.recommend(Asker(history=[("f00", 1.0)]), rules=only)
    assert (ids(answer), answer.model) == (["new"], "second")
    live.remove_item("new")
    live.roll_back()
    answer = live.recommend(Asker(history=[("f00", 1.0)]), rules=only)
    assert (ids(answer), answer.model) == ([], "first")
    live.roll_back()
    assert live.recommend(Asker(user="u1")).model == "second"
    with pytest.raises(ParameterError, match="no model to go back to"):
        LiveModel(neighbours).roll_back()


def test_hidden_items_that_a_model_lacks_stay_hidden_after_a_roll_back(live, clicks):
    from isotherm import Interactions

    live.put_items([LiveItem("f00", hidden=True)])
    fewer = Interactions.from_csr(clicks.matrix[:, 1:18], clicks.users.values, IDS[1:18])
    live.swap(EASE(l2=1.0).fit(fewer), "fewer")
    assert "f00" not in live.snapshot.columns
    live.roll_back()
    assert "f00" not in ids(live.recommend(Asker(history=[]), 30))


def test_a_model_of_another_catalogue_stays_off_the_air(live, clicks):
    from isotherm import Interactions

    strange = EASE(l2=1.0).fit(
        Interactions.from_csr(clicks.matrix, clicks.users.values, [f"z{i}" for i in IDS])
    )
    before = live.snapshot
    with pytest.raises(ModelFolderError, match="another catalogue"):
        live.swap(strange, "strange")
    assert live.snapshot is before
    assert not live.can_roll_back


def test_added_items_of_a_re_ranker_leave_the_first_model_as_it_was(clicks, films):
    from isotherm import Items

    model = MMR(model=ContentKNN()).fit(clicks, Items.from_frame(films))
    live = LiveModel(model)
    live.put_items([LiveItem("new", {"genres": ["space"]})])
    assert (model.n_items, model.model_.n_items, live.snapshot.model.n_items) == (24, 24, 25)
    assert len(live.recommend(Asker(history=[]), 30).items) == 25
    assert len(model.recommend_for([[]], k=30)) == 24


def test_readers_never_see_half_a_change(neighbours):
    live, wrong, stop = LiveModel(neighbours), [], threading.Event()
    asker = Asker(history=[("f00", 1.0), ("f03", 1.0)])

    def read():
        while not stop.is_set():
            try:
                n_new = sum(item.item_id.startswith("pair") for item in live.recommend(asker, 60).items)
                if n_new % 2:
                    wrong.append(n_new)
            except Exception as error:
                wrong.append(error)
                raise

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for n in range(12):
        pair = [LiveItem(f"pair{n}{half}", {"genres": ["space"]}) for half in "ab"]
        live.put_items(pair)
        if n % 3 == 2:
            live.put_items([LiveItem(item.item_id, hidden=True) for item in pair])
    stop.set()
    for reader in readers:
        reader.join()
    assert not wrong
    assert live.snapshot.version == 16


def test_a_list_is_the_same_to_the_last_bit_whoever_asks_beside(live, model):
    histories = [IDS[:3], IDS[4:9], [], IDS[2:15]]
    together = model.answer(histories, k=7)
    for row, history in enumerate(histories):
        alone = live.recommend(Asker(history=[(item, 1.0) for item in history]), k=7).items
        assert [item.score for item in alone] == together.scores[row].tolist()
        assert [item.item_id for item in alone] == model.items_.take(together.columns[row]).to_list()


def test_windows_open_and_close_at_their_moment(live, now):
    live.put_items([LiveItem("f01", available_from=2000.0, available_until=3000.0)])
    live.put_items([LiveItem("f02", available_until=2500.0), LiveItem("f03", available_from=2500.0)])
    windows = {"f01": (2000.0, 3000.0), "f02": (0.0, 2500.0), "f03": (2500.0, 9e9)}
    for moment in (1000.0, 1999.9, 2000.0, 2499.9, 2500.0, 2999.9, 3000.0, 2500.0, 1000.0):
        now[0] = moment
        shown = set(ids(live.recommend(Asker(history=[]), 30)))
        for item, (begin, end) in windows.items():
            assert (item in shown) == (begin <= moment < end), (item, moment)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["f01", "f02", "new", "newer"]),
            st.none() | st.just({}) | st.lists(st.sampled_from([*GENRES, "opera"]), max_size=3).map(
                lambda genres: {"title": f"T{len(genres)}", "genres": genres}
            ),
            st.booleans(),
        ),
        max_size=6,
    )
)  # fmt: skip
def test_one_change_after_the_other_is_all_of_them_at_once(neighbours, puts):
    """Words, filters and windows of a snapshot that grew step by step are those of one that is made anew."""
    live = LiveModel(neighbours, clock=lambda: 1000.0)
    for item, metadata, hidden in puts:
        live.put_items([LiveItem(item, metadata, hidden=hidden)])
    grown = live.snapshot
    anew = Snapshot.of(grown.fitted, grown.changes, grown.version)
    assert sorted(grown.columns) == sorted(anew.columns)
    for key, column in grown.columns.items():
        other = anew.columns[key]
        assert grown.catalogue.titles[column] == anew.catalogue.titles[other]
        assert grown.known.labels.titles[column] == grown.catalogue.titles[column]
        assert grown.availability.at(1000.0)[column] == anew.availability.at(1000.0)[other]
        for genre in [*GENRES, "opera"]:
            has = genre in grown.known.labels.values["genres"][column]
            assert grown.filter_fields["genres"].having([genre])[column] == has
            assert anew.filter_fields["genres"].having([genre])[other] == has


@pytest.mark.parametrize("numbered", [False, True])
def test_an_item_that_is_put_anew_leaves_its_column(clicks, films, numbered):
    """It scores as it would in a model that never knew it otherwise; what it left is never seen."""
    from isotherm import Interactions, Items

    item_ids = list(range(N_ITEMS)) if numbered else IDS
    new, other = (1000, 1001) if numbered else ("new", "other")
    log = Interactions.from_csr(clicks.matrix, clicks.users.values, item_ids)
    table = Items.from_frame(films.with_columns(item_id=pl.Series(item_ids)))
    model = MMR(model=ContentKNN()).fit(log, table)
    live = LiveModel(model)
    live.put_items([LiveItem(new, {"genres": ["love"]}), LiveItem(other, {"genres": ["war"]})])
    live.put_items([LiveItem(new, {"genres": ["space", "war"]})])
    live.put_items([LiveItem(new, {"title": "T", "genres": ["space", "war"]})])
    live.remove_item(other)
    assert len(live.snapshot.catalogue.left) == 3
    plain = LiveModel(model)
    plain.put_items([LiveItem(new, {"title": "T", "genres": ["space", "war"]})])
    for asker in (Asker(user="u3"), Asker(history=[(new, 1.0)]), Asker(history=[])):
        assert live.recommend(asker, 60) == plain.recommend(asker, 60)
        assert live.score(asker, [new, other, *item_ids]) == plain.score(asker, [new, other, *item_ids])
    assert live.similar(new, 60).equals(plain.similar(new, 60))
    assert live.audience(new, 5) == plain.audience(new, 5)
    with pytest.raises(UnknownIdError):
        live.similar(other)
    live.put_items([LiveItem(other, {"genres": ["opera"]})])
    assert set(ids(live.recommend(Asker(user="u3"), 60))) >= {new, other}
    assert len(ids(live.recommend(Asker(history=[]), 60))) == N_ITEMS + 2
