"""The password of a database is in no list of processes, log, answer or message."""

import json
import secrets

import pytest
from sqlalchemy import make_url

from isotherm.cli.options import database_url
from isotherm.errors import DatabaseError, IsothermError, ParameterError
from isotherm.serving.database import Database
from isotherm.serving.database.connections import holds_password, shown
from isotherm.serving.workers.settings import ServerSettings

SECRET = "s3cr3t-Wörd%40"
QUOTED = "s3cr3t-W%C3%B6rd%2540"
URLS = [
    f"postgresql://ann:{QUOTED}@127.0.0.1:1/live",
    f"postgresql://127.0.0.1:1/live?user=ann&password={QUOTED}",
    f"postgresql://ann:{QUOTED}@127.0.0.1:port/live",
    f"postgresql://ann:{QUOTED}@[::1/live",
    f"mysql://ann:{QUOTED}@127.0.0.1/live",
    f"postgresql://ann:{QUOTED}@127.0.0.1:1/live?nonsense=1",
    f"sqlite:///live.db?password={QUOTED}",
]


def tells(text):
    return any(each in text for each in (SECRET, QUOTED, "s3cr3t"))


@pytest.mark.parametrize("url", URLS)
def test_no_message_tells_it(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IsothermError) as told:
        Database.open(url, seconds=1.0)
    assert isinstance(told.value, DatabaseError)
    assert not tells(str(told.value))
    assert not tells(shown(url))
    assert not tells(repr(ServerSettings("model", url)))


def test_whether_there_is_one():
    assert [holds_password(url) for url in URLS[:2]] == [True, True]
    assert not holds_password("postgresql://ann@db.example.org/live")
    assert not holds_password("sqlite:///live.db")


def test_a_url_comes_from_one_place(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("ISOTHERM_DB", raising=False)
    file = tmp_path / "url"
    file.write_text(f"\n{URLS[0]}\n")
    file.chmod(0o600)
    assert database_url(None, file) == URLS[0]
    assert database_url(None, None, "sqlite:///x.db") == "sqlite:///x.db"
    monkeypatch.setenv("ISOTHERM_DB", "sqlite:///other.db")
    assert database_url(None, None, "sqlite:///x.db") == "sqlite:///other.db"
    assert database_url(None, file) == URLS[0]
    assert capsys.readouterr().err == ""
    assert database_url(URLS[0], None) == URLS[0]
    warned = capsys.readouterr().err
    assert ("--db-file" in warned, tells(warned)) == (True, False)
    with pytest.raises(ParameterError, match="there are both"):
        database_url(URLS[0], file)
    file.write_text(f"{URLS[0]}\nmore")
    for content in (f"{URLS[0]}\nmore", "", f"{URLS[0]}{'x' * 5000}"):
        file.write_text(content)
        with pytest.raises(ParameterError, match="--db-file") as told:
            database_url(None, file)
        assert not tells(str(told.value))
    monkeypatch.setenv("ISOTHERM_DB", "")
    with pytest.raises(ParameterError, match="ISOTHERM_DB"):
        database_url(None, None)


def arguments(process):
    with open(f"/proc/{process}/cmdline") as line:
        return line.read()


@pytest.mark.long
@pytest.mark.parametrize("by", ["environment", "file"])
def test_a_running_server_tells_it_nowhere(server, serve, tmp_path, monkeypatch, by):
    name = f"p{secrets.token_hex(8)}"
    url = server.make(name)
    password = make_url(url).password
    file = tmp_path / "url"
    if by == "environment":
        monkeypatch.setenv("ISOTHERM_DB", url)
        running = serve(workers=2, db=())
    else:
        file.write_text(url)
        file.chmod(0o600)
        running = serve(workers=2, db=("--db-file", str(file)))
    running.client.post("/v1/events", json=[{"id": 1, "type": "click", "user": "u1", "item": "f01"}])
    told = [running.client.get(path).text for path in ("/v1/model", "/metrics", "/readyz", "/openapi.json")]
    told += [running.client.post("/v1/recommend", json={"user": "u1"}).text]
    processes = [running.process.pid, *running.workers()]
    told += [arguments(each) for each in processes]
    for each in running.workers():
        with open(f"/proc/{each}/environ") as environment:
            told.append(environment.read())
    with server.hanging():
        refused = running.client.post("/v1/recommend", json={"user": "u1"})
        assert refused.status_code == 503
        told += [refused.text, json.dumps(dict(refused.headers)), running.logged()]
    assert name in "".join(told)  # the log says which database it is
    assert not [text for text in told if password in text]
