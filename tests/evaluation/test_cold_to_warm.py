"""The ramp-up protocol: what each step hides and gives, and how its answers are counted."""

import json

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from isotherm import EASE, Interactions, Popularity, ramp_up
from isotherm.errors import ParameterError, SplitError
from isotherm.evaluation.cold_to_warm import _StepSplits
from isotherm.ranking.metrics import USER_METRICS
from isotherm.report import RampReport
from tests.conftest import random_clicks


@pytest.fixture
def clicks():
    return Interactions.from_csr(csr_array(random_clicks(np.random.default_rng(0), 80, 30, 0.3)))


def test_each_step_gives_every_new_item_exactly_its_clicks_and_asks_the_same(clicks):
    splits = _StepSplits(clicks, 10, 0.3, seed=4)
    asked = None
    for n in (0, 1, 5, 10):
        split = splits.after(n)
        sets = splits.candidate_sets(split)
        cold = next(s for s in sets if s.name == "cold")
        given = split.train.item_clicks()
        assert (given[cold.items] == n).all()
        assert split.targets.nnz == (clicks.item_clicks()[cold.items] - 10).sum()
        assert not split.targets[:, np.flatnonzero(~cold.items)].nnz
        assert not split.histories.matrix.multiply(split.targets).nnz
        asked = split.targets if asked is None else asked
        assert (asked != split.targets).nnz == 0
        known = ~cold.items & (given > 0)
        np.testing.assert_array_equal(given[known], clicks.item_clicks()[known])


def test_earliest_clicks_come_first():
    log = pl.DataFrame(
        {
            "user_id": [0, 1, 2, 3, 0, 1, 2, 3],
            "item_id": [7, 7, 7, 7, 8, 8, 8, 8],
            "timestamp": [40, 10, 30, 20, 4, 3, 2, 1],
        }
    )
    clicks = Interactions.from_frame(log)
    for seed in range(4):
        splits = _StepSplits(clicks, 2, 0.5, seed)
        split = splits.after(2)
        sets = splits.candidate_sets(split)
        new = np.flatnonzero(sets[0].items)[0]
        users = np.flatnonzero(split.train.matrix[:, [new]].toarray())
        assert users.tolist() == ([1, 3] if split.train.items.values[int(new)] == 7 else [2, 3])


def test_values_have_every_model_step_and_candidate_set(clicks, tmp_path):
    found = ramp_up(clicks, lambda: [("pop", Popularity()), ("ease", EASE(l2=5.0))], steps=(0, 2), ks=(5,))
    frame = found.to_frame()
    assert frame.height == 2 * 2 * 2 * len(USER_METRICS)
    assert frame["mean"].is_between(0, 1).all()
    popular = frame.filter(model="pop", clicks=0, candidates="all", metric="hr@5")["mean"].item()
    assert popular == 0  # what was never clicked is never popular
    found.write_json(tmp_path / "ramp.json")
    document = json.loads((tmp_path / "ramp.json").read_text())
    assert document["models"]["ease"]["2"]["cold"]["hr@5"]["mean"] > 0
    assert document["split"]["new_items"] == 6
    page = RampReport("Ramp", "clicks", found, 5).html()
    assert "<svg" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_bad_settings_are_named(clicks):
    models = lambda: [("pop", Popularity())]  # noqa: E731
    with pytest.raises(ParameterError, match="steps must be a whole number >= 0"):
        ramp_up(clicks, models, steps=(-1, 2))
    with pytest.raises(ParameterError, match="k must be whole numbers >= 1"):
        ramp_up(clicks, models, ks=(0,))
    with pytest.raises(SplitError, match="of 6 held-out items, none has more than 90 clicks"):
        ramp_up(clicks, models, steps=(0, 90))


def test_what_is_measured_is_told_after_each_model_at_each_step(clicks):
    told = []
    models = {"pop": Popularity, "ease": EASE}

    def fresh():
        return [(name, model()) for name, model in models.items()]

    final = ramp_up(clicks, fresh, steps=(0, 2), ks=(5,), after_model=told.append)
    measured = [{name: list(steps) for name, steps in each.values.items()} for each in told]
    assert measured == [
        {"pop": [0]}, {"pop": [0], "ease": [0]},
        {"pop": [0, 2], "ease": [0]}, {"pop": [0, 2], "ease": [0, 2]},
    ]  # fmt: skip
    assert [each.to_come for each in told] == [[2], [2], [], []]
    assert not any(each.complete for each in told)
    assert (final.complete, final.to_come) == (True, [])
    assert told[-1].values == final.values
    assert told[0].split == final.split
    with pytest.raises(ParameterError, match="after_model is a function that is given the RampUp so far"):
        ramp_up(clicks, fresh, after_model=3)
