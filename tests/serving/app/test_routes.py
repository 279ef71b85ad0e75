"""The routes have the names and shapes that are documented, and answer as the live model does."""

import json

import pytest
from fastapi.testclient import TestClient

from isotherm.serving.app.factory import create_app
from isotherm.serving.live.model import LiveModel
from isotherm.serving.live.requests import Asker, Rules


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [item["item_id"] for item in answer.json()["items"]]


def ask(client, **body):
    return client.post("/v1/recommend", json=body)


def test_recommend(client, live):
    answer = ask(client, user="u3", k=4, cold={"min": 1, "max": 2}, diversity=0.2)
    same = live.recommend(Asker(user="u3"), 4, Rules(cold_least=1, cold_most=2, diversity=0.2))
    assert answer.json() == {
        "items": [vars(item) for item in same.items],
        "answered_by": "model",
        "model": "first",
        "unknown": 0,
    }
    history = ["f01", {"item": "f02", "weight": 3.0}, "nothing"]
    answer = ask(client, history=history, exclude=["f03"], filters={"genres": ["space"]}, k=30)
    rules = Rules(exclude=["f03"], filters={"genres": ["space"]})
    pairs = [("f01", 1.0), ("f02", 3.0), ("nothing", 1.0)]
    same = live.recommend(Asker(history=pairs), 30, rules)
    assert (ids(answer), answer.json()["unknown"]) == ([item.item_id for item in same.items], 1)
    assert ids(ask(client, history=["f01"], candidates=["f01", "f09"], exclude_seen=False, k=5)) != ["f09"]
    assert ids(ask(client, history=["f01", "f01", "f05"])) == ids(ask(client, history=["f01", "f05"]))


def test_empty_histories_are_answered_by_popularity(client):
    for body in ({"history": []}, {"user": "nobody"}, {"history": ["nothing"]}):
        assert ask(client, **body).json()["answered_by"] == "popularity"
    assert ask(client, user="nobody", unknown="refuse").status_code == 404


def test_lists_of_several_and_of_a_user(client):
    alone = ask(client, user="u5", k=3)
    assert ids(client.get("/v1/users/u5/recommendations?k=3")) == ids(alone)
    batch = client.post(
        "/v1/recommend/batch", json={"requests": [{"user": "u5", "k": 3}, {"history": ["f01"]}]}
    )
    assert batch.json()["answers"] == [alone.json(), ask(client, history=["f01"]).json()]


def test_similar_explain_and_score(neighbours, shared_of):
    client = TestClient(create_app(shared_of(LiveModel(neighbours))))
    assert (
        ids(client.get("/v1/items/f01/similar?k=3"))
        == neighbours.similar_items("f01", 3)["item_id"].to_list()
    )
    why = client.post("/v1/explain", json={"history": ["f01", "f04"], "item": "f20"}).json()
    scores = client.post("/v1/score", json={"history": ["f01", "f04"], "items": ["f20", "x"]}).json()["items"]
    assert scores[0]["score"] == pytest.approx(why["score"], abs=1e-6)
    assert scores[1] == {"item_id": "x", "score": None}
    assert sum(part["share"] for part in why["by_item"]) == pytest.approx(why["score"], abs=1e-5)
    assert why["text"].startswith("Because you clicked")


def test_filters_by_numbers_and_similar_items_by_filters(clicks, films, shared_of):
    import polars as pl

    from isotherm import ContentKNN, Items

    years = pl.Series([1980 + n for n in range(len(films))])
    model = ContentKNN().fit(clicks, Items.from_frame(films.with_columns(year=years)))
    client = TestClient(create_app(shared_of(LiveModel(model))))
    nineties = {"genres": ["space"], "year": {"min": 1983, "max": 1992}}
    wanted = {f"f{n:02}" for n in range(3, 13) if "space" in films["genres"][n]}
    assert set(ids(ask(client, history=["f01"], filters=nineties, k=24))) <= wanted
    near = client.post("/v1/items/f01/similar", json={"k": 24, "filters": nineties, "exclude": ["f03"]})
    same = ids(client.get("/v1/items/f01/similar?k=24"))
    assert ids(near) == [item for item in same if item in wanted - {"f03"}]
    assert ids(near)
    assert client.post("/v1/items/f01/similar", json={"k": 3}).json()["items"] == [
        *client.get("/v1/items/f01/similar?k=3").json()["items"]
    ]
    for path in ("/v1/recommend", "/v1/items/f01/similar"):
        who = {"user": "u1"} if path.endswith("recommend") else {}
        for filters, words in (
            ({"year": ["1999"]}, "holds numbers"),
            ({"genres": {"min": 1}}, "holds values"),
            ({"what": ["a"]}, "no field 'what'"),
        ):
            told = client.post(path, json={**who, "filters": filters})
            assert (told.status_code, told.json()["where"], words in told.json()["error"]) == (
                422,
                "filters",
                True,
            )
            assert told.json()["cure"] == "there are: genres (values), year (number), title (title)"
        for condition in (
            "1999",
            1999,
            None,
            {},
            {"min": None},
            {"least": 1},
            {"min": True},
            [None],
            [["a"]],
        ):
            told = client.post(path, json={**who, "filters": {"year": condition}})
            assert told.status_code == 422, condition
            assert told.json()["where"] == "body.filters.year", told.json()
            assert told.json()["error"].startswith("a condition is a list of values, or {"), told.json()


TITLES = ["<script>alert(1)</script>", "\"'`;--", "🎬👩‍👩‍👧", "\u202eevil\u202c", "x" * 100_000, "a\0b", ""]


@pytest.mark.parametrize("title", TITLES, ids=range(len(TITLES)))
def test_titles_come_out_as_they_went_in(client, title):
    body = {"metadata": {"title": title, "genres": ["space"]}}
    put = client.put("/v1/items/new", json=body)
    assert put.json() == {"items": ["new"], "version": 2}
    answer = ask(client, user="u1", candidates=["new"])
    assert answer.json()["items"][0]["title"] == (title or None)
    assert answer.headers["content-type"] == "application/json"


def test_items_are_put_hidden_and_removed(client, now):
    only = {"user": "u1", "candidates": ["new", "two"]}
    fields = {"title": "T", "genres": ["war"]}  # beside the others instead of under metadata
    items = [{"item_id": "new", **fields}, {"item_id": "two", "metadata": fields, "available_from": 2000}]
    assert client.post("/v1/items", json={"items": items}).status_code == 200
    assert ids(ask(client, **only)) == ["new"]
    until = {"available_from": "1970-01-01T00:16:00Z", "available_until": "1970-01-01T00:17:00+00:00"}
    assert client.put("/v1/items/two", json=until).status_code == 200
    assert set(ids(ask(client, **only))) == {"new", "two"}
    now[0] = 1020.0
    assert ids(ask(client, **only)) == ["new"]
    assert client.put("/v1/items/new", json={"hidden": True}).status_code == 200
    assert ids(ask(client, **only)) == []
    assert client.delete("/v1/items/new").status_code == 200
    assert client.delete("/v1/items/new").status_code == 404
    assert client.get("/v1/items/new/similar").status_code == 404


def test_audience_of_a_known_and_of_a_proposed_item(client, live):
    item = ids(ask(client, user="u3", k=1))[0]
    reached = client.post("/v1/items/audience", json={"item": item, "k": 5}).json()
    assert "u3" in reached["users"]
    assert reached["users"] == live.audience(item, 5).users
    assert 0 < reached["share_of_slots"] <= 0.2
    proposed = client.post("/v1/items/audience", json={"metadata": {"genres": ["space"]}})
    assert proposed.json()["asked"] == 40
    assert live.snapshot.version == 0


def test_swap_and_roll_back(client, neighbours, tmp_path):
    neighbours.save(tmp_path / "next")
    info = client.post("/v1/model/swap", json={"path": str(tmp_path / "next")}).json()
    assert (info["model"], info["kind"], info["can_roll_back"]) == ("next", "content-knn", True)
    assert ask(client, user="u1").json()["model"] == "next"
    assert client.post("/v1/model/rollback").json()["model"] == "first"
    assert client.get("/v1/model").json()["kind"] == "kernel-ridge"
    for path in (str(tmp_path / "none"), "a\0b", "x" * 300, "/", "/etc/passwd"):
        assert client.post("/v1/model/swap", json={"path": path}).status_code == 422, path
    assert ask(client, user="u1").json()["model"] == "first"


def test_health_and_metrics(client):
    assert client.get("/livez").json() == client.get("/readyz").json() == {"status": "ok"}
    n_cold = sum(item["cold"] for item in ask(client, user="u1", k=24).json()["items"])
    ask(client, history=[])
    client.get("/nowhere")
    text = client.get("/metrics").text
    assert 'isotherm_requests_total{method="POST",route="/v1/recommend",status="200"} 2.0' in text
    assert 'isotherm_requests_total{method="GET",route="other",status="404"} 1.0' in text
    assert 'isotherm_request_seconds_count{method="POST",route="/v1/recommend",status="200"} 2.0' in text
    assert "isotherm_popularity_answers_total 1.0" in text
    assert n_cold > 0
    cold = next(
        line for line in text.splitlines() if line.startswith('isotherm_shown_items_total{cold="true"}')
    )
    assert float(cold.split()[1]) >= n_cold
    assert "isotherm_model_age_seconds" in text


def test_events_are_counted_and_the_next_answer_follows(client):
    best = ids(ask(client, user="u3", k=2))
    batch = [
        {"id": "a", "type": "click", "user": "u3", "item": best[0]},
        {"id": 7, "type": "dislike", "user": "u3", "item": best[1], "time": "2020-01-01T00:00:00Z"},
        {"id": "b", "type": "watch", "user": "u3", "item": "f01", "value": 61.5, "time": 4e9},
        {"id": "c", "type": "like", "user": "u3", "item": "f01"},
        {"id": "d", "type": "click", "user": "u3\ud800", "item": "f01"},
        "click",
        {"id": "e", "type": "click", "user": "u3", "item": "f01", "value": 10**400},
    ]
    content, headers = json.dumps(batch), {"content-type": "application/json"}  # half a letter as \\ud800
    counts = client.post("/v1/events", content=content, headers=headers).json()
    told = counts.pop("refusals")
    assert counts == {"new": 3, "repeated": 0, "late": 1, "future": 1, "refused": 4}
    assert [each["place"] for each in told] == [3, 4, 5, 6]
    assert "like" in told[0]["error"]
    assert not set(best) & set(ids(ask(client, user="u3", k=24)))
    assert best[0] in ids(ask(client, user="u3", k=24, exclude_seen=False))
    again = client.post("/v1/events", content=content, headers=headers).json()
    assert (again["repeated"], again["refused"]) == (3, 4)
    assert client.post("/v1/events", json={"events": []}).status_code == 422
    assert client.post("/v1/events", json=[]).json()["new"] == 0


def test_what_the_model_on_the_air_cannot_read_is_told(client, clicks, tmp_path):
    from isotherm import EASE

    assert client.get("/v1/model").json()["left_out"] == {"count": 0, "first": []}
    client.put("/v1/items/new", json={"metadata": {"genres": ["space"]}})
    EASE(l2=1.0).fit(clicks).save(tmp_path / "ease")
    info = client.post("/v1/model/swap", json={"path": str(tmp_path / "ease")}).json()
    [left] = info["left_out"]["first"]
    assert (info["left_out"]["count"], left["item_id"]) == (1, "new")
    assert "cannot add items" in left["error"]
    assert info["failed"] is None
    assert client.put("/v1/items/newer", json={"metadata": {}}).status_code == 409
    assert client.delete("/v1/items/new").status_code == 200
    assert client.get("/v1/model").json()["left_out"]["count"] == 0


@pytest.mark.parametrize(
    "value",
    ["-1", "-0.001", "1000000001", "1e300", "NaN", "Infinity", "-Infinity", "1" + "0" * 400, "true", '"3"'],
)
def test_no_event_has_such_a_value(client, value):
    for kind in ("watch", "click", "impression", "dislike"):
        event = f'{{"id": "{kind}", "type": "{kind}", "user": "u1", "item": "f01", "value": {value}}}'
        headers = {"content-type": "application/json"}
        told = client.post("/v1/events", content=f"[{event}]", headers=headers).json()
        assert (told["new"], told["refused"]) == (0, 1), told
        assert told["refusals"][0]["error"].startswith("value: ")


def test_values_of_events_at_the_bounds_are_kept(client):
    values = (0, -0.0, 0.5, 1e9)
    batch = [
        {"id": n, "type": "watch", "user": "u1", "item": "f01", "value": value}
        for n, value in enumerate(values)
    ]
    assert client.post("/v1/events", json=batch).json()["new"] == len(values)


def test_a_number_that_no_filter_can_hold_is_refused(clicks, films, shared_of):
    import polars as pl

    from isotherm import ContentKNN, Items

    years = pl.Series([1980 + n for n in range(len(films))])
    model = ContentKNN().fit(clicks, Items.from_frame(films.with_columns(year=years)))
    client = TestClient(create_app(shared_of(LiveModel(model))), raise_server_exceptions=False)
    for condition in ([10**400], {"min": 10**400}, {"max": -(10**400)}):
        told = ask(client, user="u1", filters={"year": condition})
        assert told.status_code == 422, told.text


def test_only_the_first_items_that_cannot_be_read_are_named(shared, clicks, tmp_path):
    from isotherm import EASE

    editor = {"Authorization": "Bearer right"}
    client = TestClient(create_app(shared, token="right"))
    items = [{"item_id": f"new{n}", "metadata": {"genres": ["space"]}} for n in range(30)]
    assert client.post("/v1/items", json={"items": items}, headers=editor).status_code == 200
    EASE(l2=1.0).fit(clicks).save(tmp_path / "ease")
    told = client.post("/v1/model/swap", json={"path": str(tmp_path / "ease")}, headers=editor).json()
    assert (told["left_out"]["count"], len(told["left_out"]["first"])) == (30, 10)
    assert len(client.get("/v1/model", headers=editor).json()["left_out"]["first"]) == 10
    assert client.get("/v1/model").json()["left_out"] == {"count": 30, "first": []}


def test_a_swap_that_is_refused_tells_no_folder(client, neighbours, tmp_path, caplog):
    folder = tmp_path / "a folder" / "next"
    neighbours.save(folder)
    damaged = next(folder.glob("arrays-*"))
    damaged.write_bytes(damaged.read_bytes()[:-7])
    long = tmp_path / ("long" * 50) / ("name" * 20)
    paths = [folder, tmp_path / "none", long, tmp_path / "a:b;c" / "d", "/etc/passwd", "relative/place"]
    for path in paths:
        caplog.clear()
        told = client.post("/v1/model/swap", json={"path": str(path)})
        assert told.status_code == 422, told.text
        for part in (
            str(tmp_path),
            tmp_path.name,
            "/etc",
            "a folder",
            "a:b;c",
            str(path.parent) if path is long else "/tmp",
        ):
            assert part not in told.text, told.text
        assert str(path)[-20:] in caplog.text or path == "relative/place"
    assert "next" in client.post("/v1/model/swap", json={"path": str(folder)}).json()["where"]
    damaged.unlink()
    assert str(tmp_path) not in client.post("/v1/model/swap", json={"path": str(folder)}).text


def test_a_database_that_is_gone_is_told_without_its_address(client, shared, monkeypatch):
    from isotherm.errors import DatabaseError

    def gone(*_):
        raise DatabaseError(
            "--db postgresql://ann@db.example.org/live: the server cannot be reached; start it"
        )

    monkeypatch.setattr(shared._database, "version_and_history", gone)
    for path, body in (("recommend", {"user": "u1"}), ("score", {"user": "u1", "items": ["f01"]})):
        answer = client.post(f"/v1/{path}", json=body)
        assert (answer.status_code, "example.org" in answer.text) == (503, False)
        assert set(answer.json()) == {"error", "where", "cure"}
    assert client.post("/v1/recommend", json={"history": ["f01"]}).status_code == 200
    assert client.get("/livez").status_code == 200
