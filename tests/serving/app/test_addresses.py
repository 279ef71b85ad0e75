"""Every id is read, changed and removed by its address, percent-encoded, and none is taken for another."""

from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from isotherm.serving.app.addresses import found_by
from isotherm.serving.app.factory import create_app
from isotherm.serving.live.model import LiveModel

IDS = [
    "..", ".", ".a", "a..", "a/../b", "../x", "x/similar", "similar", "/similar", "x/recommendations",
    "audience", "/", "//", "a/b", "a//b", "?", "a?b", "#", "a#b?c=d&e", "%", "%2F", "a%2Fb", "%252F", " ",
    "a b", "+", "a+b", ";", "a;b=c", "a:b@c", "'\"<>`{}|^\\", "\u00e9", "e\u0301", "\u202e", "\U0001f3ac",
]  # fmt: skip


def quoted(value):
    """Percent-encoded; clients take ``..`` out of an address, but not ``%2E%2E``."""
    return quote(value, safe="").replace(".", "%2E")


@pytest.fixture
def client(neighbours, shared_of):
    with TestClient(create_app(shared_of(LiveModel(neighbours))), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("item", IDS)
def test_an_id_has_an_address(client, item):
    address = f"/v1/items/{quoted(item)}"
    body = {"metadata": {"title": f"«{item}»", "genres": ["space"]}}
    assert client.put(address, json=body).json()["items"] == [item]
    told = client.get(address)
    assert (told.status_code, told.json()["item_id"], told.json()["title"]) == (200, item, f"«{item}»"), (
        told.text
    )
    near = client.get(f"{address}/similar?k=24").json()["items"]
    assert near == client.post(f"{address}/similar", json={"k": 24}).json()["items"]
    assert near
    assert item not in [each["item_id"] for each in near]
    assert client.delete(address).json()["items"] == [item]
    assert client.get(address).status_code == 404


def test_similar_items_and_an_id_that_ends_so_are_two(client):
    for item, title in (("x", "X"), ("x/similar", "Other")):
        put = {"metadata": {"title": title, "genres": ["war"]}}
        assert client.put(f"/v1/items/{quoted(item)}", json=put).status_code == 200
    assert client.get("/v1/items/x%2Fsimilar").json()["title"] == "Other"
    assert "title" not in client.get("/v1/items/x/similar").json()
    of_other = client.get("/v1/items/x%2Fsimilar/similar?k=30").json()["items"]
    assert "x" in [each["item_id"] for each in of_other]


def test_a_user_may_be_called_anything(client):
    for user in IDS:
        click = {"id": f"e{user}", "type": "click", "user": user, "item": "f01"}
        assert client.post("/v1/events", json=[click]).json()["new"] == 1
        answer = client.get(f"/v1/users/{quoted(user)}/recommendations")
        assert (answer.status_code, answer.json()["unknown"]) == (200, 0), user


def test_slashes_may_be_sent_as_they_are(client):
    assert client.put("/v1/items/a/b", json={"metadata": {"genres": ["war"]}}).json()["items"] == ["a/b"]
    assert client.get("/v1/items/a/b").json()["item_id"] == client.get("/v1/items/a%2fb").json()["item_id"]


def test_addresses_have_one_form():
    assert found_by("/v1/%72ecommend") == "/v1/recommend"
    assert found_by("/v1/items/%e2%82%ac%ff") == "/v1/items/%E2%82%AC%EF%BF%BD"
    assert found_by("/v1/items/%2e%2E") == "/v1/items/.."
