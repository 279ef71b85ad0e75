"""Vectors of texts: a real small sentence-transformer, the cache, what is said when a model is missing."""

import numpy as np
import polars as pl
import pytest

import isotherm
from isotherm import ContentKNN, Encoding, Items, KernelRidge
from isotherm.errors import ParameterError
from isotherm.features.encoders import sentences
from isotherm.features.encoders.sentences import PACKAGED, SentenceEncoder
from isotherm.features.field_encoders import MEANING


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    """A cache of this module's own: the model is unpacked into it once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOTHERM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


TEXTS = pl.Series(
    "plot", ["A dog runs over a field.", None, "A puppy plays in the grass.", "Taxes were raised."]
)


def test_texts_of_like_meaning_are_near():
    vectors = SentenceEncoder(PACKAGED).fit(TEXTS).transform(TEXTS).array
    assert vectors.shape == (4, 384)
    assert vectors.dtype == np.float32
    assert not vectors[1].any()
    assert vectors[0] @ vectors[2] > 2 * abs(vectors[0] @ vectors[3])


def test_second_run_encodes_nothing(monkeypatch):
    first = SentenceEncoder(PACKAGED).fit(TEXTS).transform(TEXTS).array
    monkeypatch.setattr(SentenceEncoder, "_encode", lambda self, texts: pytest.fail(f"encoded {texts}"))
    again = SentenceEncoder(PACKAGED).fit(TEXTS).transform(TEXTS).array
    np.testing.assert_array_equal(again, first)


def test_only_new_texts_are_encoded(monkeypatch):
    encoder = SentenceEncoder(PACKAGED).fit(TEXTS)
    seen = []
    encode = SentenceEncoder._encode
    monkeypatch.setattr(
        SentenceEncoder, "_encode", lambda self, texts: seen.extend(texts) or encode(self, texts)
    )
    encoder.transform(pl.Series(["Taxes were raised.", "A new sentence.", "A new sentence."]))
    assert seen == ["A new sentence."]


def test_damaged_cache_is_encoded_again(caplog):
    expected = SentenceEncoder(PACKAGED).fit(TEXTS).transform(TEXTS).array
    for file in (sentences.cache_folder() / "text").rglob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:-3] + b"xyz")
    again = SentenceEncoder(PACKAGED).fit(TEXTS).transform(TEXTS).array
    np.testing.assert_allclose(again, expected, atol=1e-5)
    assert "is damaged" in caplog.text


def test_missing_and_changed_models_are_named(tmp_path):
    with pytest.raises(
        ParameterError, match=r"encoding.text_model nowhere: there is no such folder; .* or all-minilm-l6-v2"
    ):
        SentenceEncoder("nowhere").fit(TEXTS)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ParameterError, match="holds no sentence-transformer"):
        SentenceEncoder(str(tmp_path)).fit(pl.Series(["never seen"]))
    with pytest.raises(ParameterError, match="its content is not that of the fitted model"):
        SentenceEncoder(str(tmp_path), fingerprint="another").transform(pl.Series(["text"]))


@pytest.mark.parametrize("model", [ContentKNN, KernelRidge])
def test_models_take_meanings_as_one_more_field(model, clicks, items, item_frame, tmp_path):
    fitted = model(encoding=Encoding(text_model=PACKAGED)).fit(clicks, items)
    names = fitted.kernel_.terms if model is KernelRidge else fitted.similarity_.forms
    assert MEANING + "plot" in names
    fitted.save(tmp_path / "model")
    loaded = isotherm.load(tmp_path / "model")
    new = Items.from_frame(
        item_frame.head(1).with_columns(item_id=pl.Series(["new"])), kinds={"plot": "text"}
    )
    for each in (fitted, loaded):
        each.add_items(new)
    assert loaded.recommend(k=30).equals(fitted.recommend(k=30))
