"""Before workers answer: the model is whole, and items that nobody knows yet are in the database."""

from dataclasses import replace

import polars as pl
import pytest

from isotherm import EASE, Interactions
from isotherm.errors import ModelFolderError, ParameterError
from isotherm.serving.database import Assigned, Database, StoredItem
from isotherm.serving.live.requests import Asker
from isotherm.serving.shared.following import content_of
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
        verify(ServerSettings(str(tmp_path), ""))
    verify(ServerSettings(str(model_folder), ""))
    with pytest.raises(ModelFolderError, match="is damaged"):
        verify(ServerSettings(str(model_folder), "", experiments=planned(tmp_path)))


def planned(folder, **more):
    """A plan of a file."""
    arms = [{"name": "control"}, {"name": "new", "model": str(folder)}]
    return (("plan.json", {"name": "films", "arms": arms, **more}),)


def test_experiments_are_declared_once_their_models_are_there(settings, model_folder, clicks, tmp_path):
    EASE(l2=1.0).fit(clicks).save(tmp_path / "ease")
    served = replace(settings, experiments=planned(tmp_path / "ease"))
    assert set(prepare(served, None)) == {content_of(str(model_folder)), content_of(str(tmp_path / "ease"))}
    with Database.open(settings.database) as database:
        assert database.experiments.weights("films") == 1
        database.experiments.assign("u1", [Assigned("films", "new", "hash")])
    with pytest.raises(ParameterError, match=r"plan.json: salt: was another"):
        prepare(replace(settings, experiments=planned(tmp_path / "ease", salt="x")), None)
    with pytest.raises(ParameterError, match=r"plan.json: arms\[1\].model: .*none"):
        prepare(replace(settings, experiments=planned(tmp_path / "none")), None)
    numbered = Interactions.from_csr(clicks.matrix, list(range(40)), list(range(24)))
    EASE(l2=1.0).fit(numbered).save(tmp_path / "numbered")
    with pytest.raises(ParameterError, match=r"plan.json: arms\[1\].model: its users are Int64"):
        prepare(replace(settings, experiments=planned(tmp_path / "numbered")), None)
