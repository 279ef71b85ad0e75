"""recommend, similar and explain through the real command line: lists per user, unknown ids, bad input."""

import json

import polars as pl
import pytest

RECOMMEND = ("recommend", "--model", "model", "--out", "recs.parquet")


@pytest.fixture
def fitted(isotherm, desk):
    """EASE in the folder ``model``."""
    isotherm.succeeds("fit", "--interactions", "clicks.parquet", "--model", "ease", "--out", "model", "-q")
    return isotherm


def table(desk, name, **columns):
    """A CSV file."""
    pl.DataFrame(columns).write_csv(desk / name)


def lists(desk, user=None):
    """The items of recs.parquet, all or one user's."""
    found = pl.read_parquet(desk / "recs.parquet")
    return found if user is None else found.filter(pl.col("user_id") == user)["item_id"].to_list()


def test_items_of_a_table_are_left_out_for_all_or_for_the_users_it_names(fitted, desk):
    table(desk, "users.csv", user_id=["u05", "u17"])
    asked = (*RECOMMEND, "--users", "users.csv", "-k", "3")
    fitted.succeeds(*asked)
    first, second = lists(desk, "u05"), lists(desk, "u17")
    table(desk, "none.csv", item_id=[first[0]])
    fitted.succeeds(*asked, "--exclude", "none.csv")
    assert lists(desk, "u05")[:2] == first[1:]
    assert first[0] not in lists(desk, "u17")
    table(desk, "each.csv", user_id=["u17", "u99", "u17"], item_id=[second[1], "i00", second[0]])
    done = fitted.succeeds(*asked, "--exclude", "each.csv")
    assert lists(desk, "u05") == first
    assert lists(desk, "u17")[0] == second[2]
    assert "each.csv: 1 user is not asked for" in done.err
    assert "each.csv: 1 user who is asked for has no row" in done.err


def test_candidates_may_be_a_list_for_each_user(fitted, desk):
    table(desk, "each.csv", user_id=["u05", "u17", "u05"], item_id=["i00", "i02", "i01"])
    done = fitted.succeeds(*RECOMMEND, "--all", "--include-seen", "--candidates", "each.csv")
    assert sorted(lists(desk, "u05")) == ["i00", "i01"]
    assert lists(desk, "u17") == ["i02"]
    assert lists(desk).height == 3
    assert "each.csv: 58 users who are asked for have no row" in done.err


def test_histories_of_people_the_model_has_never_seen(fitted, desk):
    table(desk, "new.csv", user_id=["b", "a", "b"], item_id=["i03", "i07", "i04"])
    fitted.succeeds(*RECOMMEND, "--histories", "new.csv", "-k", "2")
    found = lists(desk)
    assert found["user_id"].to_list() == ["a", "a", "b", "b"]
    assert not {"i03", "i04"} & set(lists(desk, "b"))
    table(desk, "new.csv", user_id=["b", "a", "b"], item_id=["i03", "i07", "i04"], weight=[1.0, 1.0, 50.0])
    fitted.succeeds(*RECOMMEND, "--histories", "new.csv", "-k", "2")
    assert lists(desk).filter(pl.col("user_id") == "a").equals(found.filter(pl.col("user_id") == "a"))
    assert lists(desk)["score"].max() > 10 * found["score"].max()
    table(desk, "named.csv", who=["b"], what=["i03"], times=[50.0])
    names = ("--user-column", "who", "--item-column", "what", "--weight-column", "times")
    fitted.succeeds(*RECOMMEND, "--histories", "named.csv", *names, "-k", "2")
    assert lists(desk)["user_id"].to_list() == ["b", "b"]


def test_unknown_ids_are_refused_skipped_or_answered_with_popular_items(fitted, desk):
    table(desk, "users.csv", user_id=["u05", "nobody"])
    table(desk, "items.csv", item_id=["i00", "i01", "i02", "nothing"])
    asked = (*RECOMMEND, "--users", "users.csv", "--include-seen")
    fitted.refuses(*asked, says="1 unknown user id: 'nobody'")
    fitted.refuses(*RECOMMEND, "--all", "--candidates", "items.csv", says="1 unknown item id: 'nothing'")
    done = fitted.succeeds(*RECOMMEND, "--all", "--exclude", "items.csv")
    assert "1 unknown item id left out of exclude: 'nothing'" in done.err
    assert not lists(desk)["item_id"].is_in(["i00", "i01", "i02"]).any()
    done = fitted.succeeds(*asked, "--candidates", "items.csv", "--unknown", "skip")
    assert lists(desk)["user_id"].unique().to_list() == ["u05"]
    assert "1 unknown user id skipped: 'nobody'" in done.err
    assert "1 unknown item id left out of candidates: 'nothing'" in done.err
    done = fitted.succeeds(*asked, "--exclude", "items.csv", "--unknown", "popular", "--quiet")
    assert done.err == ""
    clicks = pl.read_parquet(desk / "clicks.parquet").filter(~pl.col("item_id").is_in(["i00", "i01", "i02"]))
    assert (
        lists(desk).filter(pl.col("user_id") == "nobody")["score"][0]
        == clicks["item_id"].value_counts()["count"].max()
    )


def test_unknown_items_of_histories(fitted, desk):
    table(desk, "new.csv", user_id=["a", "a", "b"], item_id=["i03", "x", "x"])
    asked = (*RECOMMEND, "--histories", "new.csv", "-k", "2")
    fitted.refuses(*asked, says="1 unknown item id: 'x'")
    done = fitted.succeeds(*asked, "--unknown", "skip")
    assert lists(desk)["user_id"].to_list() == ["a", "a"]
    assert "without a known item: 1 of 2 histories; skipped" in done.err
    fitted.succeeds(*asked, "--unknown", "popular")
    assert lists(desk)["user_id"].to_list() == ["a", "a", "b", "b"]


def test_similar_and_explain_show_tables_and_write_json(fitted, desk):
    done = fitted.succeeds("similar", "--model", "model", "--item", "i03", "-k", "2", "--json", "near.json")
    near = json.loads((desk / "near.json").read_text())
    assert near["item"] == "i03"
    assert [row["rank"] for row in near["similar"]] == [1, 2]
    assert near["similar"][0]["item_id"] in done.out
    table(desk, "few.csv", item_id=["i07", "i08", "i09"])
    table(desk, "none.csv", item_id=["i08"])
    sets = ("--candidates", "few.csv", "--exclude", "none.csv")
    done = fitted.succeeds("similar", "--model", "model", "--item", "i03", *sets)
    assert "i07" in done.out
    assert "i08" not in done.out
    assert "i10" not in done.out
    done = fitted.succeeds("similar", "--model", "model", "--user", "u05", "-k", "3", "--json", "near.json")
    near = json.loads((desk / "near.json").read_text())
    assert near["user"] == "u05"
    assert all(0 < row["score"] <= 1 for row in near["similar"])
    assert near["similar"][2]["user_id"] in done.out
    done = fitted.succeeds(
        "explain", "--model", "model", "--user", "u05", "--item", "i03", "--json", "why.json"
    )
    why = json.loads((desk / "why.json").read_text())
    assert sum(row["share"] for row in why["by_item"]) == pytest.approx(why["score"], rel=1e-4)
    assert why["answered_by"] == "model"
    assert why["by_field"] is None
    assert f"score {why['score']:.4f}" in done.out


def test_an_id_on_the_command_line_is_text_whatever_the_models_ids_are(isotherm, desk):
    pl.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": [10, 20, 10, 30, 20]}).write_parquet(
        desk / "n.parquet"
    )
    isotherm.succeeds("fit", "--interactions", "n.parquet", "--model", "ease", "--out", "model", "-q")
    isotherm.succeeds("similar", "--model", "model", "--item", "10", "--json", "near.json")
    assert {row["item_id"] for row in json.loads((desk / "near.json").read_text())["similar"]} == {20, 30}
    isotherm.succeeds("similar", "--model", "model", "--user", "2")
    isotherm.succeeds("explain", "--model", "model", "--user", "3", "--item", "30")
    isotherm.refuses("similar", "--model", "model", "--item", "010", says="1 unknown item id: '010'")
    (desk / "users.csv").write_text("user_id\n3\nA40\n")
    done = isotherm.succeeds(*RECOMMEND, "--users", "users.csv", "-k", "1", "--unknown", "popular")
    assert lists(desk)["user_id"].to_list() == ["3", "A40"]
    assert "1 unknown user id answered with the popular items: 'A40'" in done.err


@pytest.fixture
def titled(desk):
    """The item table with titles, in titled.parquet."""
    items = pl.read_parquet(desk / "items.parquet").with_columns(
        title=pl.col("item_id") + ": <b>the film</b>"
    )
    items.write_parquet(desk / "titled.parquet")


def test_explain_shows_fields_and_certainty_of_a_new_item(isotherm, desk, titled):
    fit = ("fit", "--interactions", "clicks.parquet", "--items", "titled.parquet", "--model", "kernel-ridge")
    isotherm.succeeds(*fit, "--out", "model", "-q")
    explain = ("explain", "--model", "model", "--user", "u05", "--item", "i27")
    done = isotherm.succeeds(*explain, "-k", "2", "--verb", "watched", "--json", "why.json")
    assert "certainty 0." in done.out
    why = json.loads((desk / "why.json").read_text())
    assert done.out.splitlines()[0] == why["text"]
    assert why["text"].startswith("Because you watched “i")
    assert "Nobody has watched “i27: <b>the film</b>” yet" in why["text"]
    assert (why["new"], why["item_clicks"], why["title"]) == (True, 0, "i27: <b>the film</b>")
    for name in ("by_item", "by_field", "by_term"):
        assert sum(row["share"] for row in why[name]) == pytest.approx(why["score"], rel=2e-3, abs=1e-6)
    for name in ("by_item", "by_field"):
        assert sum(row["percent"] or 0 for row in why[name]) == pytest.approx(100)
    for row in why["by_item"][:2]:
        assert row["title"] in done.out
        assert f"{row['percent']:.1f}%" in done.out
    others = sum(row["percent"] or 0 for row in why["by_item"][2:])
    assert f"{len(why['by_item']) - 2} others" in done.out
    assert f"{others:.1f}%" in done.out
    assert "amount of" not in done.out
    exact = isotherm.succeeds(*explain, "--exact", "-k", "100")
    assert all(row["term"] in exact.out for row in why["by_term"])


def test_the_field_of_titles_may_be_named(isotherm, desk, titled):
    items = pl.read_parquet(desk / "titled.parquet").rename({"title": "film"})
    items.write_parquet(desk / "films.parquet")
    fit = ("fit", "--interactions", "clicks.parquet", "--model", "ease", "--out", "model", "-q")
    isotherm.refuses(*fit, "--title-column", "film", says="--title-column needs --items")
    fit = (*fit, "--items", "films.parquet")
    isotherm.refuses(*fit, "--title-column", "movie", says="column 'movie' is missing")
    isotherm.refuses(*fit, "--title-column", "clip", says="a title is of kind text")
    isotherm.succeeds(*fit, "--title-column", "film")
    isotherm.succeeds(*RECOMMEND, "--all", "-k", "1", "--titles")
    assert lists(desk)["title"].str.contains("<b>the film</b>").all()


def test_a_user_without_history_is_told_so(isotherm, desk):
    clicks = pl.DataFrame({"user_id": ["a", "a", "b"], "item_id": ["x", "y", "x"]})
    clicks.write_parquet(desk / "two.parquet")
    isotherm.succeeds("fit", "--interactions", "two.parquet", "--model", "ease", "--out", "model", "-q")
    table(desk, "some.csv", user_id=["a", "c"])
    asked = (*RECOMMEND, "--users", "some.csv", "--unknown", "popular", "--include-seen")
    done = isotherm.succeeds(*asked)
    assert "answered by popularity: 1 of 2 users, for want of a usable history" in done.err
    assert lists(desk).columns == ["user_id", "item_id", "score", "rank"]
    isotherm.succeeds(*asked, "--titles", "-q")
    assert lists(desk).columns[4:] == ["title", "new", "answered_by"]
    by = dict(lists(desk).select("user_id", "answered_by").unique().iter_rows())
    assert by == {"a": "model", "c": "popularity"}
    assert lists(desk)["title"].null_count() == 4
    assert not lists(desk)["new"].any()


def test_titles_and_new_items_are_shown_where_they_are_wanted(isotherm, desk, titled):
    fit = ("fit", "--interactions", "clicks.parquet", "--items", "titled.parquet", "--model", "content-knn")
    isotherm.succeeds(*fit, "--out", "model", "-q")
    done = isotherm.succeeds(
        "similar", "--model", "model", "--item", "i03", "-k", "30", "--titles", "--json", "near.json"
    )
    near = json.loads((desk / "near.json").read_text())["similar"]
    assert all(row["title"] == f"{row['item_id']}: <b>the film</b>" for row in near)
    assert [row["new"] for row in near] == [row["item_id"] >= "i25" for row in near]
    assert near[0]["title"] in done.out
    for out in ("recs.csv", "recs.jsonl"):
        isotherm.succeeds("recommend", "--model", "model", "--all", "-k", "30", "--titles", "--out", out)
    for read in (pl.read_csv(desk / "recs.csv"), pl.read_ndjson(desk / "recs.jsonl")):
        assert read["title"].to_list() == [f"{item}: <b>the film</b>" for item in read["item_id"]]
        assert read["new"].to_list() == [item >= "i25" for item in read["item_id"]]


def test_new_items_are_read_as_the_model_was_and_what_they_lack_is_told(isotherm, desk, titled):
    fit = ("fit", "--interactions", "clicks.parquet", "--items", "titled.parquet", "--model", "content-knn")
    told = isotherm.succeeds(*fit, "--kind", "plot=text", "--out", "model").err
    assert "title: text, e.g. i00: <b>the film</b>" in told
    assert "genres: categories, e.g. " in told
    recommend = ("recommend", "--model", "model", "--all", "-k", "30", "--new-items")
    found = []
    for out, genres in (("a.csv", "drama|war"), ("b.csv", "drama; war"), ("c.csv", "['drama', 'war']")):
        table(desk, "new.csv", item_id=["n1", "n2"], genres=[genres, None], year=["1999", "N/A"], cost=[1, 2])
        done = isotherm.succeeds(*recommend, "new.csv", "--out", out)
        assert (
            "2 new items: plot, clip, title not given (nothing known), genres, year missing for 1, "
            "1 column ignored (cost)"
        ) in done.err
        found.append(pl.read_csv(desk / out))
    assert "n1" in set(found[0]["item_id"])
    assert found[0].equals(found[1])
    assert found[0].equals(found[2])
    table(desk, "new.csv", item_id=["n1", "n2"], year=["1999", "soon"])
    isotherm.refuses(
        *recommend,
        "new.csv",
        "--out",
        "d.csv",
        says=["new.csv: column 'year', data row 2 (item 'n2'): 'soon' is not a finite number; mend it, or"],
    )


REFUSED = {
    "no users": ((), "one of --users, --all and --histories"),
    "users and all": (("--all", "--users", "clicks.csv"), "one of --users, --all and --histories"),
    "all and histories": (("--all", "--histories", "clicks.csv"), "one of --users, --all and --histories"),
    "another word for unknown": (
        ("--all", "--unknown", "ignore"), "--unknown must be one of 'error', 'skip', 'popular', not 'ignore'",
    ),
    "k of 0": (("--all", "-k", "0"), "-k must be a whole number >= 1"),
    "k below 0": (("--all", "-k", "-5"), "-k must be a whole number >= 1"),
    "no such table": (("--all", "--exclude", "nosuch.csv"), "nosuch.csv: no such file"),
    "no item column": (("--all", "--exclude", "other.csv"), "column 'item_id' is missing"),
    "no item column for users": (("--all", "--candidates", "users.csv"), "column 'item_id' is missing"),
    "a null item": (("--all", "--exclude", "gap.csv"), "gap.csv: column 'item_id', data row 2: no value"),
    "a null user": (("--all", "--candidates", "gap-user.csv"), "column 'user_id', data row 1: no value"),
    "one column for both": (("--all", "--item-column", "user_id"), "named as both user and item"),
    "weights of no histories": (("--all", "--weight-column", "w"), "--weight-column is for --histories"),
    "weights not there": (("--histories", "strange.csv", "--weight-column", "w"), "column 'w' is missing"),
    "no histories": (("--histories", "nosuch.csv"), "nosuch.csv: no such file"),
    "histories without items": (("--histories", "users.csv"), "column 'item_id' is missing"),
    "histories with a negative weight": (("--histories", "negative.csv"), "a weight must be above 0"),
    "histories with a weight of text": (("--histories", "text.csv"), "'many' is not a finite number"),
    "histories of unknown items": (("--histories", "strange.csv"), "1 unknown item id: 'x'"),
}  # fmt: skip


@pytest.fixture
def tables(desk):
    """Files that cannot be used."""
    table(desk, "other.csv", other=["i01"])
    table(desk, "users.csv", user_id=["u05"])
    table(desk, "gap.csv", item_id=["i01", None], note=["here", "gone"])
    table(desk, "gap-user.csv", user_id=[None, "u05"], item_id=["i01", "i02"])
    table(desk, "negative.csv", user_id=["a"], item_id=["i01"], weight=[-1.0])
    table(desk, "text.csv", user_id=["a"], item_id=["i01"], weight=["many"])
    table(desk, "strange.csv", user_id=["a"], item_id=["x"])


def test_what_recommend_cannot_use_is_refused(fitted, tables):
    for options, says in REFUSED.values():
        fitted.refuses(*RECOMMEND, *options, says=says)


OTHERS = {
    "similar to nothing": (("similar",), "similar needs either --item or --user"),
    "similar to both": (
        ("similar", "--item", "i01", "--user", "u05"),
        "similar needs either --item or --user",
    ),
    "similar to an unknown item": (("similar", "--item", "x"), "1 unknown item id: 'x'"),
    "similar to an unknown user": (("similar", "--user", "x"), "1 unknown user id: 'x'"),
    "similar users among items": (
        ("similar", "--user", "u05", "--exclude", "gap.csv"),
        "they go with --item",
    ),
    "titles of similar users": (("similar", "--user", "u05", "--titles"), "they go with --item"),
    "0 similar items": (("similar", "--item", "i01", "-k", "0"), "-k must be a whole number >= 1"),
    "similar among a null": (("similar", "--item", "i01", "--candidates", "gap.csv"), "row 2: no value"),
    "similar written to a page": (("similar", "--item", "i01", "--json", "a.html"), "ending in .json"),
    "an unknown user": (("explain", "--user", "x", "--item", "i01"), "1 unknown user id: 'x'"),
    "an unknown item": (("explain", "--user", "u05", "--item", "x"), "1 unknown item id: 'x'"),
    "0 reasons": (("explain", "--user", "u05", "--item", "i01", "-k", "0"), "-k must be a whole number >= 1"),
}


def test_no_result_replaces_what_was_read(isotherm, desk, tables):
    for option in ("--exclude", "--candidates"):
        command = ("recommend", "--model", "model", "--all", option, "strange.csv", "--out", "strange.csv")
        isotherm.refuses(*command, says="strange.csv")
    command = ("recommend", "--model", "model", "--histories", "strange.csv", "--out", "strange.csv")
    isotherm.refuses(*command, says="strange.csv")
    (desk / "items.json").write_text('{"item_id": "i01"}\n')
    command = (
        "similar",
        "--model",
        "model",
        "--item",
        "i01",
        "--exclude",
        "items.json",
        "--json",
        "items.json",
    )
    isotherm.refuses(*command, says="items.json")


def test_what_similar_and_explain_cannot_use_is_refused(fitted, tables):
    for (command, *options), says in OTHERS.values():
        fitted.refuses(command, "--model", "model", *options, says=says)
    for command in (("similar", "--item", "i01"), ("explain", "--item", "i01", "--user", "u05")):
        fitted.refuses(*command, "--model", "nosuch", says="nosuch: holds no saved model")
        fitted.refuses(*command, says="Missing option '--model'", code=2)
    fitted.refuses("explain", "--model", "model", "--user", "u05", says="Missing option '--item'", code=2)


def test_a_model_that_cannot_say_so_is_named(isotherm):
    isotherm.succeeds("fit", "--interactions", "clicks.csv", "--model", "popularity", "--out", "model", "-q")
    isotherm.refuses("similar", "--model", "model", "--item", "i01", says="popularity knows no similarity")
    explain = ("explain", "--model", "model", "--user", "u05", "--item", "i01")
    isotherm.refuses(*explain, says="popularity has no exact explanation")
    isotherm.succeeds("similar", "--model", "model", "--user", "u05")
