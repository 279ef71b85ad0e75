"""Before workers answer: the model is whole, and items that nobody knows yet are in the database."""

import polars as pl
import pytest

from isotherm import EASE
from isotherm.errors import ModelFolderError
from isotherm.serving.database import Database, StoredItem
from isotherm.serving.live.requests import Asker
from isotherm.serving.shared.shared import SharedModel
from isotherm.serving.workers.preparing import prepare, verify
from isotherm.serving.workers.settings import ServerSettings


@pytest.fixture
def settings(model_folder, tmp_path):
    return ServerSettings(str(model_folder), f"sqlite:///{tmp_path}/live.db")


@pytest.fixture
def table(films, tmp_path):
    """The model's films, one with another title, and two new ones."""
    changed = films.with_columns(title=pl.col("title").str.replace("Film 3", "Another"))
    new = pl.DataFrame({"item_id": ["new1", "new2"], "title": ["One", "Two"], "genres": [["war"], None]})
    pl.concat([changed, new]).write_parquet(tmp_path / "items.parquet")
    return tmp_path / "items.parquet"


def test_items_that_nobody_knows_are_added_once(settings, table):
    with Database.open(settings.database) as database:
        database.put_items([StoredItem("new2", {"title": "Mine"})])
        database.delete(["f05"])
    for _ in range(2):
        prepare(settings, table)
    with Database.open(settings.database) as database:
        items = {item.id: item for batch in database.item_table() for item in batch}
        assert set(items) == {"new1", "new2"}
        assert dict(items["new1"].metadata) == {"title": "One", "genres": ["war"]}
        assert items["new2"].metadata["title"] == "Mine"
        shared = SharedModel.open(settings.model, database)
        assert "new1" in shared.snapshot.columns
        shared.close()


def test_of_a_model_without_titles_all_items_are_described(clicks, table, tmp_path):
    EASE(l2=1.0).fit(clicks).save(tmp_path / "ease")
    settings = ServerSettings(str(tmp_path / "ease"), f"sqlite:///{tmp_path}/live.db")
    prepare(settings, table)
    titles = dict(pl.read_parquet(table).select("item_id", "title").iter_rows())
    with Database.open(settings.database) as database:
        assert database.item("f03").metadata["title"] == "Another"
        assert database.item("new1").metadata["title"] == "One"
        shared = SharedModel.open(settings.model, database)
        named = {item.item_id: item.title for item in shared.recommend(Asker(user="u1"), k=24).items}
        assert set(named) <= set(titles)
        assert all(title == titles[item] for item, title in named.items())
        shared.close()


def test_a_damaged_model_is_found(model_folder, tmp_path):
    for file in model_folder.iterdir():
        content = bytearray(file.read_bytes())
        if file.suffix == ".safetensors":
            content[-1] ^= 1
        (tmp_path / file.name).write_bytes(content)
    with pytest.raises(ModelFolderError, match="is damaged"):
        verify(str(tmp_path))
    verify(str(model_folder))
