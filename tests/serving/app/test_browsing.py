"""Routes for looking at the items: what they answer, and what they show to whom."""

import pytest
from fastapi.testclient import TestClient

from isotherm.serving.app.factory import create_app
from isotherm.serving.app.limits import Limits

EDITOR = {"Authorization": "Bearer secret"}


@pytest.fixture
def guarded(shared):
    with TestClient(create_app(shared, token="secret"), raise_server_exceptions=False) as client:
        yield client


def test_titles_are_found(client):
    answer = client.get("/v1/items", params={"query": "film 7"}).json()
    assert answer["found"] == 1
    first = answer["items"][0]
    assert (first["item_id"], first["title"], first["available"]) == ("f07", "Film 7", True)
    assert first["values"] == {"genres": ["love"]}


def test_items_are_looked_up(client):
    answer = client.get("/v1/items", params={"item_id": ["f03", "none", "f01"]}).json()
    assert [item["item_id"] for item in answer["items"]] == ["f03", "f01"]


@pytest.mark.parametrize(
    ("params", "where"),
    [
        ({"query": "a", "item_id": "b"}, "query"),
        ({"query": "x" * 201}, "query.query"),
        ({"k": 0}, "query.k"),
        ({"k": 1001}, "k"),
    ],
)
def test_what_cannot_be_asked_is_refused(client, params, where):
    answer = client.get("/v1/items", params=params)
    assert answer.status_code == 422
    assert answer.json()["where"] == where


def test_so_many_ids_are_looked_up_as_others_are(shared):
    client = TestClient(create_app(shared, limits=Limits(ids=2)))
    assert client.get("/v1/items", params={"item_id": ["f01", "f02"]}).json()["found"] == 2
    refused = client.get("/v1/items", params={"item_id": ["f01", "f02", "f03"]})
    assert (refused.status_code, refused.json()["where"]) == (422, "item_id")


def test_hidden_items_are_for_those_with_the_token(guarded):
    body = {"metadata": {"title": "Secret"}, "hidden": True, "available_until": 5e9}
    assert guarded.put("/v1/items/new", json=body, headers=EDITOR).status_code == 200
    assert guarded.get("/v1/items", params={"query": "secret"}).json()["found"] == 0
    everything = {"query": "secret", "unavailable": "true"}
    assert guarded.get("/v1/items", params=everything).status_code == 401
    assert guarded.get("/v1/items", params=everything, headers=EDITOR).json()["found"] == 1
    assert guarded.get("/v1/items/new").status_code == 404
    assert guarded.get("/v1/items/new", headers={"Authorization": "Bearer other"}).status_code == 404
    details = guarded.get("/v1/items/new", headers=EDITOR).json()
    assert details["metadata"] == {"title": "Secret"}
    assert (details["hidden"], details["available_until"]) == (True, 5e9)
    assert guarded.get("/v1/items/f01").json()["metadata"] is None


def test_an_unknown_item_is_not_there(client):
    assert client.get("/v1/items/none").status_code == 404


def test_similar_items_keep_their_address(client):
    assert "clicks" not in client.get("/v1/items/f01/similar").json()


def test_fields_and_map(client):
    fields = client.get("/v1/fields").json()
    assert fields["title"] == "title"
    assert [field["kind"] for field in fields["fields"]] == ["text", "categories"]
    seen = client.get("/v1/map").json()
    n = len(seen["item_ids"])
    assert n == seen["items"]
    assert all(len(seen[name]) == n for name in ("titles", "x", "y", "cold", "value"))
    assert client.get("/v1/map", params={"field": "none"}).status_code == 422
