"""What fit and refit leave behind: the same answers, or the model as it was; no number that is not finite."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm import EASE, MMR, FitOptions, Interactions, MARec
from isotherm.errors import InteractionsError, IsothermError, NotFittedError, ParameterError, TrainingError
from isotherm.models.fitting import trains_among_processes
from isotherm.models.registry import model_class
from isotherm.models.vae.training.settings import Training

QUICK = {
    "popularity": {}, "item-knn": {}, "content-knn": {}, "ease": {}, "slim": {}, "ials": {"factors": 4},
    "kernel-ridge": {"steps": 3, "draws": 1},
    "multvae": {"hidden": 8, "latent": 4, "training": Training(epochs=2)},
}  # fmt: skip


@pytest.fixture(params=QUICK)
def model(request):
    return model_class(request.param)(**QUICK[request.param])


def test_refit_on_unchanged_clicks_is_the_fit_and_needs_one(model, clicks, items):
    with pytest.raises(NotFittedError):
        model.refit(clicks, items)
    before = model.fit(clicks, items).recommend(k=30)
    after = model.refit(clicks, items).recommend(k=30)
    assert after.drop("score").equals(before.drop("score"))
    np.testing.assert_allclose(after["score"], before["score"], rtol=1e-5, atol=1e-7)


def test_refit_learns_of_new_users_and_items(model, clicks, items):
    half = Interactions.from_csr(
        clicks.matrix[:40, :20], clicks.users.take(np.arange(40)), clicks.items.take(np.arange(20))
    )
    model.fit(half, items.take(np.arange(20))).refit(clicks, items)
    assert (len(model.users_), model.n_items) == (60, 30)
    assert model.recommend(k=30)["score"].is_finite().all()


def test_a_fit_that_fails_leaves_the_model_as_it_was(model, clicks, items):
    before = dict(model.fit(clicks, items).__dict__)
    with pytest.raises(IsothermError):
        model.fit(clicks, items.take(np.arange(2)))
    with pytest.raises(IsothermError):
        model.refit(Interactions.from_csr(csr_array((3, 2), dtype=np.float32)), items)
    assert model.__dict__ == before


def test_a_result_that_is_not_finite_is_refused_by_name(clicks, monkeypatch):
    model = EASE().fit(clicks)
    before = dict(model.__dict__)
    solve = EASE.solve

    def spoilt(*arguments):
        inverse = solve(*arguments)
        inverse.weights[3, 1] = np.nan
        return inverse

    monkeypatch.setattr(EASE, "solve", spoilt)
    with pytest.raises(
        TrainingError, match=r"went wrong: weights/blocks\.0/weights holds a number that is not finite"
    ):
        model.fit(clicks)
    assert model.__dict__ == before


@pytest.mark.parametrize("scale", [1e-6, 1e4, 1e6, 1e9])
def test_models_are_finite_and_keep_their_order_at_every_scale_of_the_weights(clicks, items, scale):
    rng = np.random.default_rng(0)
    weighed = csr_array(clicks.matrix)
    weighed.data = (scale * rng.lognormal(0, 1, weighed.nnz)).astype(np.float32)
    for name, settings in QUICK.items():
        if "training" not in settings:
            model = model_class(name)(**settings)
            model.fit(Interactions.from_csr(weighed, clicks.users.values, clicks.items.values), items)
            assert model.recommend(k=30)["score"].is_finite().all(), name


@pytest.mark.parametrize("weight", [1e16, 3e38, 1e-16])
def test_weights_whose_squares_float32_cannot_add_up_are_refused(model, clicks, items, weight):
    weighed = csr_array(clicks.matrix)
    weighed.data[3] = weight
    weighed = Interactions.from_csr(weighed, clicks.users.values, clicks.items.values)
    with pytest.raises(
        InteractionsError, match=r"click weights go from .* scale them so that they lie between"
    ):
        model.fit(weighed, items)


def test_a_system_that_cannot_be_solved_names_the_cure(clicks):
    model = model_class("ials")(factors=4, l2=1e-30, unobserved_weight=1e-30)
    with pytest.raises(TrainingError, match=r"ials: fit .*(not finite|raise the regularization)"):
        model.fit(clicks)


def test_options_are_for_models_that_train_in_steps(model, clicks, items, tmp_path):
    options = FitOptions(run_dir=tmp_path / "run")
    if model.trains_in_steps:
        assert options.accepted_by(model) is options
        model.fit(clicks, items, options)
        model.refit(clicks, items, FitOptions(run_dir=tmp_path / "refit"))
        assert (tmp_path / "run" / "run.jsonl").is_file()
        assert (tmp_path / "refit" / "run.jsonl").is_file()
        return
    for given in (options, FitOptions(valid=clicks)):
        assert given.accepted_by(model) == FitOptions()
        with pytest.raises(ParameterError, match=f"models that train in steps; {model.name} does not"):
            model.fit(clicks, items, given)
    model.fit(clicks, items, FitOptions())
    with pytest.raises(ParameterError, match=f"models that train in steps; {model.name} does not"):
        model.refit(clicks, items, options)


def test_work_is_shared_among_processes_where_a_model_or_one_within_trains_in_steps():
    vae, ease = model_class("multvae")(), EASE()
    outer = [MMR(model=vae), MARec(backbone="multvae"), vae]
    assert all(map(trains_among_processes, outer))
    assert [model.trains_in_steps for model in outer] == [True, False, True]
    assert not any(map(trains_among_processes, [ease, MMR(model=ease), MARec()]))


def test_options_that_are_none_are_refused(clicks, items):
    with pytest.raises(ParameterError, match=r"options must be FitOptions\(valid=…, run_dir=…\), not dict"):
        EASE().fit(clicks, options={"valid": clicks})
    with pytest.raises(ParameterError, match="valid must be Interactions, not Items"):
        FitOptions(valid=items)
    with pytest.raises(ParameterError, match="run_dir must be the path of a folder, not 3"):
        FitOptions(run_dir=3)
