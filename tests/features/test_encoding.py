"""The settings of item metadata: each model's own text weighting, and settings by dotted names."""

import pytest

from isotherm import ContentKNN, Encoding, KernelRidge, MARec
from isotherm.errors import ParameterError
from isotherm.parameters import build


def test_auto_leaves_the_text_weighting_to_the_model():
    assert Encoding().weighting("tfidf") == "tfidf"
    assert Encoding(text_weighting="binary").weighting("tfidf") == "binary"


@pytest.mark.parametrize(
    ("model", "weighting"), [(MARec, "count"), (ContentKNN, "count"), (KernelRidge, "tfidf")]
)
def test_each_model_weighs_texts_in_its_own_way_whatever_else_is_set(clicks, items, model, weighting):
    fitted = build(model, {"encoding.max_words": 3, "encoding.fields": ["plot", "genres"]}).fit(clicks, items)
    described = str(fitted.state()[1])
    assert f"'weighting': '{weighting}'" in described
    assert repr(fitted.encoding) == (
        "Encoding(fields=['plot', 'genres'], min_count=2, max_words=3, text_weighting='auto', "
        "text_model=None, image_model=None)"
    )


def test_an_unknown_setting_is_named_with_the_known_ones():
    with pytest.raises(ParameterError, match="encoding has no setting 'x'; it has fields, min_count"):
        build(MARec, {"encoding.x": 1})
    with pytest.raises(ParameterError, match="encoding must be of class Encoding"):
        MARec(encoding="genres")
