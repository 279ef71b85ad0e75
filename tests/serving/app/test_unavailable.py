"""Items that may not be shown now are unknown to whoever has no token, at every address; lists hold none."""

import pytest
from fastapi.testclient import TestClient

from isotherm.serving.app.factory import create_app
from isotherm.serving.live.model import LiveModel

EDITOR = {"Authorization": "Bearer right"}
FIELDS = {"title": "Secret title", "genres": ["space"]}
#: the clock says 1,000
STATES = {
    "hidden": {"hidden": True},
    "expired": {"available_until": 1000.0},
    "early": {"available_from": 1000.5},
}
#: f01 was clicked in the log of the fit, nova was not
ITEMS = [(item, state) for item in ("f01", "nova") for state in STATES]


@pytest.fixture
def client(neighbours, shared_of, now):
    shared = shared_of(LiveModel(neighbours, clock=lambda: now[0]))
    with TestClient(create_app(shared, token="right"), raise_server_exceptions=False) as client:
        yield client


def put(client, item, state):
    body = {"metadata": FIELDS, **STATES[state]}
    assert client.put(f"/v1/items/{item}", json=body, headers=EDITOR).status_code == 200


def asked(client, item, headers=None):
    """What each address answers of an item."""
    history = {"history": ["f02", "f03"]}
    requests = {
        "explain": ("POST", "/v1/explain", {**history, "item": item}),
        "explain to a user": ("POST", "/v1/explain", {"user": "u1", "item": item}),
        "similar": ("GET", f"/v1/items/{item}/similar", None),
        "similar by filters": ("POST", f"/v1/items/{item}/similar", {}),
        "item": ("GET", f"/v1/items/{item}", None),
        "audience": ("POST", "/v1/items/audience", {"item": item}),
        "score": ("POST", "/v1/score", {**history, "items": [item], "unknown": "refuse"}),
    }
    return {
        what: client.request(method, path, json=body, headers=headers)
        for what, (method, path, body) in requests.items()
    }


@pytest.mark.parametrize(("item", "state"), ITEMS)
def test_without_the_token_it_is_as_one_that_is_not_there(client, item, state):
    put(client, item, state)
    for headers in (None, {"Authorization": "Bearer wrong"}):
        unknown = asked(client, "zzz", headers)
        for what, answer in asked(client, item, headers).items():
            assert answer.status_code == 404, what
            expected = {name: words.replace("zzz", item) for name, words in unknown[what].json().items()}
            assert answer.json() == expected, what
    score = client.post("/v1/score", json={"history": ["f02"], "items": [item, "zzz"]}).json()
    assert [each["score"] for each in score["items"]] == [None, None]
    for params in ({"query": "secret"}, {"query": item}, {"item_id": item}):
        assert client.get("/v1/items", params=params).json() == {"items": [], "found": 0}
    for path in ("/v1/map", "/v1/fields", "/v1/model", "/metrics"):
        text = client.get(path).text
        assert "Secret" not in text
        assert f'"{item}"' not in text


@pytest.mark.parametrize(("item", "state"), ITEMS)
def test_with_the_token_each_address_answers(client, item, state):
    put(client, item, state)
    answers = asked(client, item, EDITOR)
    assert {what: answer.status_code for what, answer in answers.items()} == dict.fromkeys(answers, 200)
    assert answers["item"].json()["title"] == "Secret title"
    assert answers["score"].json()["items"][0]["score"] is not None


@pytest.mark.parametrize(("item", "state"), ITEMS)
def test_no_list_holds_it_whoever_asks(client, item, state):
    put(client, item, state)
    for headers in (None, EDITOR):
        for body in (
            {"user": "u1"},
            {"history": []},
            {"history": ["f02"], "candidates": [item]},
            {"history": ["f02"], "diversity": 1.0, "exclude_seen": False},
            {"history": ["f02"], "cold": {"min": 24}},
        ):
            lists = client.post("/v1/recommend", json={"k": 24, **body}, headers=headers).json()
            assert item not in [each["item_id"] for each in lists["items"]]
        near = client.get("/v1/items/f02/similar?k=24", headers=headers).json()
        assert item not in [each["item_id"] for each in near["items"]]


@pytest.mark.parametrize(("item", "state"), ITEMS)
def test_in_a_history_and_among_candidates_secrets_are_unknown(client, item, state):
    put(client, item, state)
    is_secret = item == "nova" and state != "expired"
    history = {"history": ["f02", item], "k": 24}
    answer = client.post("/v1/recommend", json=history).json()
    assert answer["unknown"] == is_secret
    without = client.post("/v1/recommend", json={**history, "history": ["f02"]}).json()
    assert (answer["items"] == without["items"]) is (item == "nova")  # of which this model reads nothing
    among = client.post("/v1/recommend", json={"history": ["f02"], "candidates": [item]}).json()
    assert (among["unknown"], among["items"]) == (is_secret, [])
    refused = client.post("/v1/recommend", json={**history, "unknown": "refuse"})
    assert refused.status_code == (404 if is_secret else 200)


@pytest.mark.parametrize(("item", "state"), ITEMS[:3])
def test_an_explanation_names_no_clicked_item_that_may_not_be_shown(client, item, state):
    click = [{"id": 1, "type": "click", "user": "dan", "item": item}]
    put(client, item, state)
    assert client.post("/v1/events", json=click, headers=EDITOR).json()["new"] == 1
    body = {"user": "dan", "item": "f06"}
    told, whole = (client.post("/v1/explain", json=body, headers=each).json() for each in (None, EDITOR))
    assert [(each["item_id"], each["title"]) for each in whole["by_item"]] == [(item, "Secret title")]
    assert [(each["item_id"], each["title"]) for each in told["by_item"]] == [(None, None)]
    assert "Secret" not in str(told)
    assert (told["score"], told["by_item"][0]["share"]) == (whole["score"], whole["by_item"][0]["share"])


def test_what_is_shown_again_is_known_again(client, now):
    put(client, "nova", "early")
    now[0] = 1000.5
    answers = asked(client, "nova")
    assert {answer.status_code for answer in answers.values()} == {200}


def test_the_document_tells_the_rule(client):
    told = client.get("/openapi.json").json()["info"]["description"]
    assert "are unknown to requests without the token" in told
