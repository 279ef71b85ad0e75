"""Settings of "auto": which are tried, which is taken, and that the model is the one with these numbers."""

import logging

import numpy as np
import pytest

import isotherm
from isotherm import FitOptions
from isotherm.errors import ParameterError
from isotherm.models.vae.auto import climb, ladders_of, with_settings
from isotherm.models.vae.multdae import MultDAE
from isotherm.models.vae.multvae import MultVAE
from isotherm.models.vae.objective.anchors import ItemAnchors
from isotherm.models.vae.objective.beta import Annealed, Constant, PerClick
from isotherm.models.vae.objective.ladder import Ladder
from isotherm.models.vae.objective.masking import Bernoulli, PopularityAware, Scheduled
from isotherm.models.vae.recvae import RecVAE
from isotherm.models.vae.training.settings import Training
from isotherm.untrusted import DamagedError
from tests.models.vae.small import SMALL, tastes

LADDERS = {"a": Ladder((0.0, 1.0, 2.0, 3.0), start=1.0), "b": Ladder((5.0, 6.0), start=6.0)}
SHORT = Training(epochs=3, batch_size=60)
AUTO = {"mask": Bernoulli(keep="auto"), "anchors": ItemAnchors(weight="auto")}


def climbed(quality, spread=0.0):
    """What is chosen where settings have a quality, and what was tried on the way."""
    tried = []

    def rank(chosen):
        tried.append((chosen["a"], chosen["b"]))
        noise = spread * np.random.default_rng(len(tried)).standard_normal(100)
        return quality(**chosen) + noise

    return climb(LADDERS, rank), tried


def test_a_ladder_is_climbed_as_long_as_it_gets_better():
    chosen, tried = climbed(lambda a, b: a - b)
    assert chosen == {"a": 3.0, "b": 5.0}
    assert tried == [(1, 6), (2, 6), (3, 6), (3, 5)]


def test_it_is_left_where_the_neighbours_are_worse():
    chosen, tried = climbed(lambda a, b: -abs(a - 1) + b)
    assert chosen == {"a": 1.0, "b": 6.0}
    assert tried == [(1, 6), (2, 6), (0, 6), (1, 5)]


def test_a_gain_within_the_noise_is_none():
    assert climbed(lambda a, b: 0.01 * a, spread=10.0)[0]["a"] == 1.0
    assert climbed(lambda a, b: 0.01 * a, spread=0.01)[0]["a"] == 3.0


def test_the_settings_that_may_be_chosen():
    auto = Bernoulli(keep="auto")
    assert list(ladders_of(MultVAE(beta=Annealed(cap="auto"), mask=auto))) == ["mask.keep", "beta.cap"]
    assert list(ladders_of(MultVAE(beta=Constant(value="auto")))) == ["beta.value"]
    assert list(ladders_of(RecVAE(beta=PerClick(gamma="auto")))) == ["beta.gamma"]
    assert list(ladders_of(MultDAE(mask=PopularityAware(keep="auto")))) == ["mask.keep"]
    assert list(ladders_of(MultDAE(anchors=ItemAnchors(weight="auto")))) == ["anchors.weight"]
    assert ladders_of(MultVAE()) == {}


def test_a_ladder_starts_at_the_settings_own_default():
    parts = ((ItemAnchors, "weight"), (Bernoulli, "keep"), (Constant, "value"), (Annealed, "cap"))
    for part, name in (*parts, (PerClick, "gamma")):
        assert part.ladders[name].start == getattr(part(), name)


@pytest.mark.parametrize("model", [MultVAE, MultDAE, RecVAE])
def test_the_model_is_the_one_with_the_chosen_settings(model, tmp_path):
    others = {**SMALL, "training": SHORT, "seed": 3}
    auto = model(**AUTO, **others).fit(tastes())
    assert list(auto.chosen_) == ["mask.keep", "anchors.weight"]
    given = with_settings(auto, auto.chosen_).fit(tastes())
    np.testing.assert_array_equal(given.score(auto.clicks_), auto.score(auto.clicks_))
    assert (auto.anchors_ is None) == (given.anchors_ is None)
    assert repr(auto).endswith(f"[mask.keep={given.mask.keep:g}, anchors.weight={given.anchors.weight:g}]")
    auto.save(tmp_path / "m")
    loaded = isotherm.load(tmp_path / "m")
    assert repr(loaded) == repr(auto)
    assert loaded.recommend(k=3).equals(auto.recommend(k=3))
    assert model(**AUTO, **others).fit(tastes()).chosen_ == auto.chosen_


def test_each_trial_is_told(caplog):
    valid = tastes(60, seed=1)
    model = MultVAE(**SMALL, mask=Bernoulli(keep="auto"), training=SHORT)
    with caplog.at_level(logging.INFO, logger="isotherm"):
        model.fit(tastes(), options=FitOptions(valid=valid))
    told = [line.message for line in caplog.records if "mask.keep" in line.message]
    assert told[0].startswith("multvae: {'mask.keep': 0.5}: ndcg@100 0.")
    assert len(told) >= 3  # the start, and at least both neighbours


def test_with_few_users_settings_stay_where_they_start(caplog):
    clicks = tastes(30)
    with caplog.at_level(logging.INFO, logger="isotherm"):
        model = MultVAE(**SMALL, **AUTO, training=SHORT).fit(clicks)
    assert model.learned_settings() == {"mask.keep": 0.5, "anchors.weight": 0.0}
    assert "too few users to choose mask.keep, anchors.weight on" in caplog.text


def test_geometry_reads_the_chosen_settings():
    from isotherm.geometry.posteriors import keep_probabilities

    model = MultVAE(**SMALL, **AUTO, training=SHORT).fit(tastes(30))
    assert (keep_probabilities(model) == 0.5).all()


def test_what_is_not_chosen_yet_says_so():
    with pytest.raises(ParameterError, match=r"mask\.keep, anchors\.weight of auto are chosen by fit"):
        MultVAE(**AUTO).settled  # noqa: B018
    with pytest.raises(ParameterError, match=r'mask\.keep="auto" is chosen when a model is fitted'):
        Bernoulli(keep="auto").keep_probability(np.ones(2), 0)
    with pytest.raises(ParameterError, match=r"beta\.cap must be a number >= 0"):
        Annealed(cap="automatic")
    with pytest.raises(ParameterError, match=r"mask\.start must be"):
        Scheduled(start="auto")


def test_a_run_folder_goes_on_after_the_same_choice(tmp_path):
    settings = {**SMALL, **AUTO, "training": SHORT}
    options = FitOptions(run_dir=tmp_path / "run")
    first = MultVAE(**settings).fit(tastes(), options=options)
    again = MultVAE(**settings).fit(tastes(), options=options)
    assert again.chosen_ == first.chosen_
    np.testing.assert_array_equal(again.score(first.clicks_), first.score(first.clicks_))


def test_a_saved_value_off_the_ladder_is_damage():
    model = MultVAE(**SMALL, mask=Bernoulli(keep="auto"), training=SHORT).fit(tastes(30))
    model.chosen_ = {"mask.keep": 7.0}
    with pytest.raises(DamagedError, match=r"mask\.keep is 7.0 and must be a number from 0.2 to 0.8"):
        model.restore(*model.state())
