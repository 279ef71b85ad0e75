"""What fit learns is annotated on the class, declared in ``learned``, and there again after loading."""

import pytest

import isotherm
from isotherm import Training
from isotherm.models.registry import REGISTRY, model_class

pytest.importorskip("torch")

NETWORK = {"hidden": 8, "latent": 4, "training": Training(epochs=1)}
SETTINGS = dict.fromkeys(("multvae", "multdae", "recvae"), NETWORK) | {
    "ials": {"factors": 4},
    "kernel-ridge": {"steps": 3, "draws": 1},
}
#: of every model, kept beside its declaration
IDS = {"users_", "items_", "clicks_", "labels_"}


@pytest.fixture(params=REGISTRY)
def fitted(request, clicks, items):
    """A fitted model, and the names of what fit has set."""
    model = model_class(request.param)(**SETTINGS.get(request.param, {}))
    before = set(vars(model))
    model.fit(clicks, items)
    return model, {name for name in set(vars(model)) - before if vars(model)[name] is not None}


def annotated(model):
    """Names that the class or a base annotates."""
    return {name for each in type(model).__mro__ for name in vars(each).get("__annotations__", {})}


def test_all_that_fit_sets_is_annotated(fitted):
    model, learned = fitted
    assert learned - annotated(model) == set()


def test_what_fit_learns_ends_in_an_underscore_and_is_declared(fitted):
    model, learned = fitted
    declared = {each.name for each in model.learned}
    assert all(name.endswith("_") != name.startswith("_") for name in learned), learned
    assert {name for name in learned if name.endswith("_")} - IDS - declared == set()
    assert declared <= learned | set(dir(type(model)))


def test_a_loaded_model_holds_what_the_fitted_one_does(fitted, tmp_path):
    model, learned = fitted
    model.save(tmp_path / "model")
    assert set(vars(isotherm.load(tmp_path / "model"))) == set(vars(model)), learned
