"""The page's files: their types, their policy, and nothing that is not theirs."""

import re
from importlib.resources import files

import pytest
from fastapi.testclient import TestClient

from isotherm.serving.app.factory import create_app
from isotherm.serving.app.limits import Limits

STATIC = files("isotherm.serving.page") / "static"
NAMES = sorted(file.name for file in STATIC.iterdir())
POLICY = "content-security-policy"


def address(name):
    return {"index.html": "/", "experiments.html": "/experiments"}.get(name, f"/page/{name}")


@pytest.fixture
def client(shared):
    with TestClient(create_app(shared, token="secret", token_for_all=True)) as client:
        yield client


@pytest.mark.parametrize("name", NAMES)
def test_each_file_is_served_to_everybody_as_what_it_is(client, name):
    answer = client.get(address(name))
    assert answer.status_code == 200
    assert answer.content == (STATIC / name).read_bytes()
    kinds = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    assert answer.headers["content-type"].startswith(kinds[name.rpartition(".")[2]])
    assert client.head(address(name)).headers["etag"] == answer.headers["etag"]


def test_the_policy_lets_in_nothing_from_elsewhere_and_nothing_inline(client):
    policy = dict(part.split(" ", 1) for part in client.get("/").headers[POLICY].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in client.get("/").headers[POLICY]
    assert client.get("/livez").headers[POLICY].startswith("default-src 'none'; base-uri")


def test_a_client_of_few_requests_gets_all_files(shared):
    client = TestClient(create_app(shared, limits=Limits(rate=0.01, burst=1)))
    assert {client.get(address(name)).status_code for name in NAMES} == {200}
    assert [client.get("/v1/fields").status_code for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("known", ["{}", 'W/{}, "other"', '"other", {}', "*"])
def test_what_did_not_change_is_not_sent_again(client, known):
    etag = client.get("/page/main.js").headers["etag"]
    answer = client.get("/page/main.js", headers={"If-None-Match": known.format(etag)})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    assert client.get("/page/main.js", headers={"If-None-Match": '"other"'}).status_code == 200
    assert client.get("/page/main.js").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/page/",
        "/page/routes.py",
        "/page/../routes.py",
        "/page/%2e%2e/routes.py",
        "/page/index.html",
        "/page/experiments.html",
        "/experiments/",
    ],
)
def test_nothing_else_is_served(client, path):
    assert client.get(path).status_code == 404


def test_the_files_name_no_other_server_and_no_inline_code():
    for name in NAMES:
        text = (STATIC / name).read_text(encoding="utf-8")
        addresses = set(re.findall(r"https?://[^\s\"'<]+|[\"'(]//[^\s\"']+", text))
        assert addresses <= {"http://www.w3.org/2000/svg"}, name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", text), name
        if name.endswith("html"):
            assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=", text)


def test_each_import_is_there():
    for name in NAMES:
        for imported in re.findall(r'from "\./([\w.]+)"', (STATIC / name).read_text(encoding="utf-8")):
            assert imported in NAMES, f"{name} imports {imported}"
