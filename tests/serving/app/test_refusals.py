"""What is refused is told in one shape, each limit has its own answer, and nothing of the inside is shown."""

import json

import pytest
from fastapi.testclient import TestClient

from isotherm.errors import ParameterError
from isotherm.serving.app.factory import create_app
from isotherm.serving.app.limits import Limits

SMALL = Limits(body=2000, k=20, history=3, ids=4, batch=2, items=2)
ITEMS = [{"item_id": f"n{n}"} for n in range(3)]


@pytest.mark.parametrize(
    ("path", "body", "code", "where", "words"),
    [
        ("recommend", {"user": "u1", "k": 21}, 422, "k", "at most 20"),
        ("recommend", {"history": ["f01"] * 4}, 422, "history", "at most 3"),
        ("recommend", {"user": "u1", "exclude": ["a"] * 5}, 422, "exclude", "at most 4"),
        ("recommend", {"user": "u1", "candidates": ["a"] * 5}, 422, "candidates", "at most 4"),
        ("recommend", {"user": "u1", "filters": {"genres": ["a"] * 5}}, 422, "filters", "at most 4"),
        ("recommend", {"history": ["x" * 2000]}, 413, "/v1/recommend", "2,000 bytes"),
        ("recommend", {"user": "u1", "k": 0}, 422, "body.k", "greater than or equal to 1"),
        ("recommend", {"user": "u1", "k": "5"}, 422, "body.k", "integer"),
        ("recommend", {"user": True}, 422, "body.user", "string"),
        ("recommend", {"user": "u1", "size": 3}, 422, "body.size", "not permitted"),
        ("recommend", {"user": "u1", "history": []}, 422, "body", "either user or history"),
        ("recommend", {}, 422, "body", "either user or history"),
        ("recommend", {"user": "u1", "k": 2, "cold": {"min": 3}}, 422, "/v1/recommend", "k is 2"),
        ("recommend", {"user": "u1", "filters": {"x": ["y"]}}, 422, "filters", "no field"),
        ("recommend", {"user": "nobody", "unknown": "refuse"}, 404, "/v1/recommend", "nobody"),
        (
            "recommend",
            {"user": "u1", "filters": {f"f{n}": [] for n in range(5)}},
            422,
            "filters",
            "at most 4",
        ),
        ("items/f01/similar", {"filters": {"genres": ["a"] * 5}}, 422, "filters", "at most 4"),
        ("items/f01/similar", {"k": 21}, 422, "k", "at most 20"),
        ("items/f01/similar", {"candidates": ["a"] * 5}, 422, "candidates", "at most 4"),
        ("recommend/batch", {"requests": [{"user": "u1"}] * 3}, 422, "requests", "at most 2"),
        ("score", {"user": "u1", "items": ["a"] * 5}, 422, "items", "at most 4"),
        ("explain", {"user": "u1", "item": "x"}, 404, "/v1/explain", "unknown"),
        ("items", {"items": ITEMS}, 422, "items", "at most 2"),
        ("items/audience", {"item": "f01", "k": 21}, 422, "k", "at most 20"),
        ("items/audience", {"item": "f01", "metadata": {}}, 422, "body", "either item or metadata"),
        ("model/rollback", None, 422, "/v1/model/rollback", "no model to go back to"),
    ],
)
def test_each_refusal_says_what_where_and_the_cure(shared, path, body, code, where, words):
    answer = TestClient(create_app(shared, limits=SMALL)).post(f"/v1/{path}", json=body)
    told = answer.json()
    assert answer.status_code == code, told
    assert set(told) == {"error", "where", "cure"}
    assert (told["where"].startswith(where), words in told["error"]) == (True, True), told
    assert told["cure"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", 400),
        (b"", 422),
        (b'{"user": "\\ud800"}', 422),
        (b'{"user": ' + b"9" * 5000 + b"}", 400),
        (b'{"history": [{"item": "f01", "weight": NaN}]}', 422),
        (b'{"history": [{"item": "f01", "weight": 1e300}]}', 422),
        (b"[" * 100_000, 400),
        (b"\xff\xfe", 400),
    ],
)
def test_what_is_no_request(client, body, code):
    answer = client.post("/v1/recommend", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, set(answer.json())) == (code, {"error", "where", "cure"})


@pytest.mark.parametrize(
    ("body", "where", "words"),
    [
        ({"user": 2**63}, "body.user", "valid string, or: Input should be less than 9223372036854775808"),
        ({"user": 1.5}, "body.user", "Input should be a valid string, or: Input should be a valid integer"),
        ({"history": ["f01", {"item": "f02", "weight": -1}]}, "body.history.1.weight", "greater than 0"),
        ({"history": ["f01", {"weight": 1}]}, "body.history.1.item", "Field required"),
        ({"history": ["f01", None]}, "body.history.1", "valid string"),
        ({"history": "f01"}, "body.history", "valid list"),
        ([], "body", "valid dictionary"),
    ],
)
def test_a_place_is_told_as_it_was_sent(client, body, where, words):
    answer = client.post("/v1/recommend", json=body).json()
    places = {answer["where"]: answer["error"]}
    assert words in places.get(where, ""), answer


def test_places_of_addresses_are_told(client):
    assert client.get("/v1/users/u1/recommendations?k=x").json()["where"] == "query.k"
    assert client.post("/v1/score", json={"user": "u1"}).json()["where"] == "body.items"


def test_what_is_not_said_to_be_json_is_told_so(client):
    for headers in ({}, {"content-type": "text/plain"}):
        told = client.post("/v1/recommend", content=b'{"user": "u1"}', headers=headers).json()
        assert told["cure"] == "send Content-Type: application/json", told


def test_no_address_leads_to_another(client):
    answer = client.post("/v1/recommend/", json={"user": "u1"}, follow_redirects=False)
    assert (answer.status_code, answer.json()["where"]) == (404, "/v1/recommend/")


def test_a_body_without_a_length_is_limited_too(shared):
    client = TestClient(create_app(shared, limits=SMALL))
    chunks = (b"x" * 100 for _ in range(100))
    answer = client.post("/v1/recommend", content=chunks, headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_odd_metadata_is_refused_or_taken_and_never_fails(client):
    for value in (2**100, True, [1.5, 2.0], {"a": 1.0}, "", None, [], {}, -1e308, ["a", "b|c"]):
        for field in ("title", "genres", "else"):
            answer = client.put("/v1/items/odd", json={"metadata": {field: value}})
            assert answer.status_code in (200, 422), (field, value, answer.text)
    for body in (b'{"\\ud800": 1}', b'{"metadata": {"title": "\\udfff"}}', b'{"metadata": {"\\ud800": 1}}'):
        headers = {"content-type": "application/json"}
        assert client.put("/v1/items/odd", content=body, headers=headers).status_code == 422
    assert client.post("/v1/recommend", json={"user": "u1"}).status_code == 200


def test_addresses_and_methods_that_are_not_there(client):
    assert client.get("/nowhere").json()["where"] == "/nowhere"
    assert client.get("/v1/recommend").status_code == 405
    assert client.get("/docs").status_code == 404  # it would load from another address


def test_a_failure_tells_nothing_of_the_inside(client, shared, monkeypatch):
    def fail(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr(shared, "recommend", fail)
    answer = client.post("/v1/recommend", json={"user": "u1"})
    assert (answer.status_code, "secret" in answer.text) == (500, False)
    assert set(answer.json()) == {"error", "where", "cure"}
    assert "Traceback" not in answer.text


def test_every_answer_has_strict_headers(client):
    for answer in (client.get("/livez"), client.get("/nowhere"), client.get("/metrics")):
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["x-content-type-options"] == "nosniff"


WRITES = [
    ("PUT", "/v1/items/x", {}),
    ("DELETE", "/v1/items/f01", None),
    ("POST", "/v1/items", {"items": [{"item_id": "x"}]}),
    ("POST", "/v1/model/swap", {"path": "x"}),
    ("POST", "/v1/events", []),
    ("POST", "/v1/model/rollback", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_writes_need_the_token(shared, method, path, body):
    client = TestClient(create_app(shared, token="right é"))
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic cmlnaHQ="}):
        answer = client.request(method, path, json=body, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert shared.version == 1
    plain = TestClient(create_app(shared, token="right"))
    given = plain.request(method, path, json=body, headers={"Authorization": "Bearer right"})
    assert given.status_code != 401
    assert plain.post("/v1/recommend", json={"user": "u1"}).status_code == 200


def test_all_needs_the_token_by_option(shared):
    client = TestClient(create_app(shared, token="right", token_for_all=True))
    assert client.post("/v1/recommend", json={"user": "u1"}).status_code == 401
    assert client.get("/metrics").status_code == 401
    assert client.get("/livez").status_code == 200
    client.headers["Authorization"] = "Bearer right"
    assert client.post("/v1/recommend", json={"user": "u1"}).status_code == 200
    for options in ({"token": " "}, {"token_for_all": True}):
        with pytest.raises(ParameterError, match="token"):
            create_app(shared, **options)


def test_the_document_has_an_example_of_every_body(client):
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert {"401", "422"} <= set(operation["responses"]), (path, method)
            if "requestBody" in operation:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                reference = schema.get("anyOf", [schema])[0]["$ref"]  # of a body that may be left out
                assert "examples" in json.dumps(schemas[reference.rpartition("/")[2]]), path
