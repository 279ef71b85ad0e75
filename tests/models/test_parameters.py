"""Settings by dotted names, as --set takes them."""

import pytest

from isotherm import MARec
from isotherm.errors import ParameterError
from isotherm.models.parameters import build, parse_settings
from isotherm.models.registry import model_class


def test_values_are_read_as_numbers_words_and_lists():
    parsed = parse_settings(
        ["backbone.l2=500", "fields=genres,year", "second_order=false", "beta=auto", "click_threshold=none"]
    )
    assert parsed == {
        "backbone.l2": 500,
        "fields": ["genres", "year"],
        "second_order": False,
        "beta": "auto",
        "click_threshold": None,
    }


def test_dotted_settings_reach_the_backbone_and_leave_the_rest():
    model = build(MARec, {"backbone.l2": 7, "beta": 2})
    assert (model.backbone.l2, model.backbone.dtype, model.beta) == (7.0, "float32", 2.0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bakcbone.l2": 1}, "marec has no setting 'bakcbone'; it has backbone, fields"),
        ({"backbone.l3": 1}, "ease has no setting 'l3'; it has l2, dtype"),
        ({"beta.x": 1}, "beta has no settings of its own"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(settings, words):
    with pytest.raises(ParameterError, match=words):
        build(MARec, settings)


@pytest.mark.parametrize("text", ["l2", "=5"])
def test_a_setting_needs_a_name_and_a_value(text):
    with pytest.raises(ParameterError, match="takes name=value"):
        parse_settings([text])


def test_unknown_model_lists_the_registry():
    with pytest.raises(
        ParameterError, match="no model 'ese'; the models are popularity, item-knn, content-knn, ease"
    ):
        model_class("ese")
