"""The plan of a sweep: written flat, read back, refused where it is damaged."""

import json

import pytest

from isotherm.errors import IsothermError
from isotherm.tuning.plan import Plan, SweepOptions, differing
from isotherm.untrusted import DamagedError

PLAN = Plan("multvae", {"hidden": 12}, {"keep=0.5": {"mask.keep": 0.5}}, SweepOptions(pairs=50, seed=3), "ab")


def test_a_plan_is_read_as_written():
    facts = json.loads(json.dumps(PLAN.to_dict()))
    assert facts["pairs"] == 50
    assert Plan.from_dict(facts) == PLAN


def test_plans_differ_in_what_is_not_a_cell():
    other = PLAN.to_dict() | {"cells": {}, "seed": 4, "log": "cd"}
    assert sorted(differing(PLAN.to_dict(), other)) == ["log", "seed"]


@pytest.mark.parametrize(
    "change",
    [{"cells": {"../a": {}}}, {"holdout": 2.0}, {"pairs": 3}, {"seed": -1}, {"more": 1}, {"model": 1}],
)
def test_damaged_plans_are_refused(change):
    with pytest.raises(DamagedError):
        Plan.from_dict(PLAN.to_dict() | change)


def test_a_cell_is_the_model_with_its_settings():
    pytest.importorskip("torch")
    model = PLAN.build("keep=0.5")
    assert (model.hidden, model.mask.keep) == (12, 0.5)


@pytest.mark.parametrize(
    "change", [{"holdout": 0}, {"fold_in": 1}, {"probe": 0}, {"pairs": 19}, {"seed": 0.5}]
)
def test_options_are_in_their_ranges(change):
    with pytest.raises(IsothermError, match=next(iter(change))):
        SweepOptions(**change)
