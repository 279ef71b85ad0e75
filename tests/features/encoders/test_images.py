"""Vectors of pictures by a real CLIP of random weights, tiny; the cache; what is said of a bad file."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

import isotherm
from isotherm import ContentKNN, Encoding, Items, KernelRidge, MARec
from isotherm.errors import ItemsError, ParameterError
from isotherm.features.encoders.images import ImageEncoder


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A folder with a CLIP model of random weights."""
    folder = tmp_path_factory.mktemp("clip")
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config={**sizes, "vocab_size": 50, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0},
        vision_config={**sizes, "image_size": 32, "patch_size": 8},
        projection_dim=12,
    )
    CLIPModel(config).save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(
        folder
    )
    return str(folder)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Thirty files: flat colours, every fifth missing."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = []
    for n in range(30):
        colour = [(250, 20, 20), (20, 20, 250), (20, 250, 20)][n % 3]
        Image.new("RGB", (40, 50 + n), colour).save(folder / f"{n}.png")
        paths.append(None if n % 5 == 4 else str(folder / f"{n}.png"))
    return paths


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ISOTHERM_CACHE", str(tmp_path / "cache"))


def test_vectors_are_the_models_own(clip, pictures):
    column = pl.Series("poster", pictures)
    vectors = ImageEncoder(clip).fit(column).transform(column).array
    assert vectors.shape == (30, 12)
    assert vectors.dtype == np.float32
    assert not vectors[4].any()
    inputs = CLIPImageProcessor.from_pretrained(clip)(images=[Image.open(pictures[7])], return_tensors="pt")
    with torch.no_grad():
        found = CLIPModel.from_pretrained(clip).eval().get_image_features(**inputs)
    np.testing.assert_allclose(vectors[7], getattr(found, "pooler_output", found)[0], rtol=1e-4, atol=1e-5)


def test_a_picture_is_encoded_once_ever_even_under_another_name(clip, pictures, tmp_path, monkeypatch):
    column = pl.Series("poster", pictures)
    first = ImageEncoder(clip).fit(column).transform(column).array
    copy = tmp_path / "copy.png"
    copy.write_bytes(Path(pictures[0]).read_bytes())
    monkeypatch.setattr(ImageEncoder, "_run", lambda self, batch: pytest.fail(f"encoded {batch}"))
    encoder = ImageEncoder(clip).fit(column)
    np.testing.assert_array_equal(encoder.transform(column).array, first)
    np.testing.assert_array_equal(encoder.transform(pl.Series([str(copy)])).array, first[:1])


@pytest.mark.parametrize("model", [ContentKNN, MARec, KernelRidge])
def test_models_take_images_as_a_field(model, clip, pictures, clicks, item_frame, tmp_path):
    frame = item_frame.select("item_id", "genres").with_columns(poster=pl.Series(pictures, dtype=pl.String))
    items = Items.from_frame(frame, kinds={"poster": "image"})
    fitted = model(encoding=Encoding(image_model=clip)).fit(clicks, items)
    assert fitted.item_schema["poster"].kind == "image"
    fitted.save(tmp_path / "model")
    loaded = isotherm.load(tmp_path / "model")
    new = frame.head(2).with_columns(item_id=pl.Series(["n1", "n2"]))
    for each in (fitted, loaded):
        each.add_items(new)
    answers = [each.recommend(k=2, candidates=["n1", "n2"]) for each in (fitted, loaded)]
    assert answers[0].equals(answers[1])


def test_without_a_model_images_are_left_out_and_said_so(pictures, clicks, item_frame, caplog):
    frame = item_frame.select("item_id", "genres").with_columns(poster=pl.Series(pictures, dtype=pl.String))
    fitted = ContentKNN().fit(clicks, Items.from_frame(frame, kinds={"poster": "image"}))
    assert "field 'poster' holds images and is left out: set encoding.image_model" in caplog.text
    assert list(fitted.item_schema) == ["genres"]
    with pytest.raises(ItemsError, match=r"images need encoding\.image_model"):
        ContentKNN().fit(clicks, Items.from_frame(frame.drop("genres"), kinds={"poster": "image"}))


def test_bad_files_and_models_are_named(clip, tmp_path):
    with pytest.raises(
        ItemsError, match=r"field 'poster': the image file nothing\.png cannot be read \(No such"
    ):
        ImageEncoder(clip).fit(pl.Series("poster", ["nothing.png"]))
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    with pytest.raises(ItemsError, match=r"bad\.png is no image that can be read"):
        ImageEncoder(clip).fit(pl.Series("poster", [str(bad)]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ParameterError, match=r"encoding.image_model .*: holds no CLIP-like model"):
        ImageEncoder(str(tmp_path / "empty")).fit(pl.Series("poster", [str(bad)]))
    with pytest.raises(
        ParameterError, match=r"encoding.image_model nowhere: there is no such folder; .* CLIP-like"
    ):
        ImageEncoder("nowhere").fit(pl.Series("poster", [str(bad)]))
    with pytest.raises(ItemsError, match="an image column holds paths of image files"):
        Items.from_frame(pl.DataFrame({"item_id": [1], "poster": [2.0]}), kinds={"poster": "image"})


def test_what_has_no_metadata_is_counted(clicks, item_frame, caplog):
    frame = item_frame.select("item_id", "plot", empty=pl.lit(None, dtype=pl.String))
    frame = frame.with_columns(plot=pl.when(pl.int_range(30) % 10 > 1).then(pl.col("plot")))
    ContentKNN().fit(clicks, Items.from_frame(frame, kinds={"plot": "text", "empty": "text"}))
    assert "field 'empty' has no value on any item and is left out" in caplog.text
    assert "items have no metadata at all: as new items they are recommended to nobody" in caplog.text
