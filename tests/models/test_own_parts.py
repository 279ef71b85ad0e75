"""A person's own subclass of a part or a model is welcome; what could not be loaded by name is not saved."""

import numpy as np
import pytest
import torch

import isotherm
from isotherm import EASE, Encoding, MARec
from isotherm.errors import ParameterError, UnsupportedError
from isotherm.models.registry import REGISTRY, model_class
from isotherm.models.vae.objective.anchors import ItemAnchors
from isotherm.models.vae.objective.masking import MASKS, Bernoulli, Mask
from isotherm.models.vae.training.settings import Training
from isotherm.parameters import build


class EverySecond(Mask):
    """Keeps half of the items, always the same."""

    name = "every-second"

    def __init__(self, *, first=0):
        self.first = first

    def keep_probability(self, item_clicks, epoch):
        kept = torch.zeros(len(item_clicks))
        kept[self.first :: 2] = 1
        return kept


class Nameless(Bernoulli):
    """Has its base's name."""


class MyAnchors(ItemAnchors):
    """Passes all settings on."""

    def __init__(self, **settings):
        super().__init__(**settings)


class MyEASE(EASE):
    """Passes all settings on, and has one more."""

    def __init__(self, *, boost=1.0, **settings):
        super().__init__(**settings)
        self.boost = boost


def small(**parts):
    return model_class("multvae")(hidden=8, latent=4, training=Training(epochs=1), **parts)


@pytest.mark.parametrize(
    "part", [{"mask": EverySecond()}, {"mask": Nameless(keep=0.7)}, {"anchors": MyAnchors(weight=0.1)}]
)
def test_own_parts_train_and_are_not_saved(clicks, tmp_path, part):
    model = small(**part).fit(clicks)
    assert model.recommend(k=3).height == 180
    (made,) = part.values()
    with pytest.raises(
        UnsupportedError, match=f"{type(made).__name__} is a class of your own, and a saved model"
    ):
        model.save(tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_an_own_part_with_a_name_that_is_known_is_saved_and_loaded(clicks, tmp_path, monkeypatch):
    monkeypatch.setitem(MASKS, "every-second", EverySecond)
    model = small(mask=EverySecond(first=1)).fit(clicks)
    model.save(tmp_path / "m")
    loaded = isotherm.load(tmp_path / "m")
    assert type(loaded.mask) is EverySecond
    assert loaded.mask.first == 1
    assert build(model_class("multvae"), {"mask": "every-second", "mask.first": 1}).mask.first == 1


def test_an_own_model_shows_all_its_settings_and_is_no_base_in_disguise(clicks, items, tmp_path, monkeypatch):
    model = MyEASE(l2=3.0, boost=2.0)
    others = "denoising=None, user_power=None, relaxation=None"
    assert repr(model) == f"MyEASE(boost=2.0, l2=3.0, {others}, collective=0.0, dtype='float32', seed=0)"
    for fitted in (model.fit(clicks), MARec(backbone=MyEASE(l2=3.0)).fit(clicks, items)):
        with pytest.raises(UnsupportedError, match="MyEASE is a class of your own"):
            fitted.save(tmp_path / "m")
    assert not list(tmp_path.iterdir())
    monkeypatch.setitem(REGISTRY, "my-ease", f"{__name__}:MyEASE")
    monkeypatch.setattr(MyEASE, "name", "my-ease")
    model.save(tmp_path / "m")
    assert repr(isotherm.load(tmp_path / "m")) == repr(model)


def test_a_setting_that_json_cannot_hold_is_not_saved(clicks, tmp_path, monkeypatch):
    monkeypatch.setitem(MASKS, "every-second", EverySecond)
    model = small(mask=EverySecond(first=np.int64(1))).fit(clicks)
    model.save(tmp_path / "m")
    assert isotherm.load(tmp_path / "m").mask.first == 1
    model.mask.first = {1, 2}
    with pytest.raises(UnsupportedError, match=r"EverySecond: first=\{1, 2\} cannot be saved: settings are"):
        model.save(tmp_path / "n")
    assert not (tmp_path / "n").exists()


def test_a_part_of_another_kind_is_still_refused():
    with pytest.raises(ParameterError, match="mask must be one of none"):
        small(mask=ItemAnchors())


def test_numpy_scalars_are_settings_and_are_saved_as_plain_numbers(clicks, items, tmp_path):
    model = MARec(
        backbone=EASE(l2=np.float32(50)),
        shrinkage=np.int64(8),
        second_order=np.bool_(False),
        seed=np.uint16(3),
        encoding=Encoding(max_words=np.int32(9)),
        decay=np.str_("constant"),
        click_threshold=np.float64(2),
    ).fit(clicks, items)
    model.save(tmp_path / "m")
    loaded = isotherm.load(tmp_path / "m")
    assert repr(loaded) == repr(model)
    assert "np." not in repr(model)
    assert model.recommend(k=np.int64(4)).equals(loaded.recommend(k=4))
