"""Settings by dotted names, as --set takes them."""

import pytest

from isotherm import MARec
from isotherm.errors import ParameterError
from isotherm.models.registry import model_class
from isotherm.parameters import build, parse_settings


def test_values_are_read_as_numbers_words_and_lists():
    parsed = parse_settings(
        [
            "backbone.l2=500",
            "encoding.fields=genres,year",
            "second_order=false",
            "beta=auto",
            "click_threshold=none",
        ]
    )
    assert parsed == {
        "backbone.l2": 500,
        "encoding.fields": ["genres", "year"],
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
        ({"bakcbone.l2": 1}, "marec has no setting 'bakcbone'; it has backbone, encoding"),
        ({"backbone.l3": 1}, "ease has no setting 'l3'; it has l2, denoising, user_power, relaxation"),
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


def test_parts_are_chosen_by_name_and_then_set():
    model = build(
        model_class("multvae"),
        {
            "mask": "popularity",
            "mask.power": 0.5,
            "anchors.weight": 0.1,
            "beta": "constant",
            "ease_term": None,
        },
    )
    assert (model.mask.name, model.mask.power, model.mask.keep) == ("popularity", 0.5, 0.5)
    assert model.anchors.weight == 0.1
    assert model.beta.value == 0.2
    assert model.ease_term.name == "none"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mask": "half"}, "mask must be one of none, bernoulli, popularity, scheduled, not 'half'"),
        ({"mask.power": 1}, "bernoulli has no setting 'power'; it has keep"),
        ({"beta": 0.3}, "beta must be one of constant, annealed, per-click, not 0.3"),
        ({"anchors.weight": -1}, "anchors.weight must be a number >= 0"),
        ({"training.metric": "auc"}, "training.metric must be one of hr, ndcg.*like ndcg@100, not 'auc'"),
        ({"training.valid_share": 1.0}, "training.valid_share must be a number >= 0 and < 1, not 1.0"),
        ({"training.device": "tpu"}, "training.device must be one of 'auto', 'cpu', 'cuda', 'mps'"),
    ],
)
def test_impossible_parts_are_refused(settings, words):
    with pytest.raises(ParameterError, match=words):
        build(model_class("multvae"), settings)


def test_a_part_of_another_kind_is_refused():
    with pytest.raises(ParameterError, match="mask must be one of none"):
        model_class("recvae")(mask=0.5)
    with pytest.raises(ParameterError, match="anchors must be of class ItemAnchors"):
        model_class("recvae")(anchors=model_class("recvae")().mask)
