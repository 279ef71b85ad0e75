"""A plan with users may change by nothing that moves them."""

from dataclasses import replace

import pytest

from isotherm.errors import ParameterError
from isotherm.experiment.plan import Arm, Experiment, Exploration, Ramp, RampStep, Settings, check_change

ARMS = (Arm("control"), Arm("new", model="second"))
PLAN = Experiment("films", ARMS, ramp=Ramp((RampStep(10.0, 0.2), RampStep(20.0, 0.5))), start=5.0)


@pytest.mark.parametrize(
    "more",
    [
        {"arms": (Arm("control", 3.0), Arm("new", model="third"), Arm("newer"))},
        {"arms": (Arm("control"), Arm("new", 0.0, "second"))},
        {"end": 100.0},
        {"overrides": {"eve": "new"}},
        {"exploration": Exploration("epsilon", 0.1)},
        {"ramp": Ramp((RampStep(10.0, 0.3),))},
        {"ramp": Ramp()},
        {"ramp": Ramp((RampStep(10.0, 0.1),)), "end": 14.0},
    ],
)
def test_what_moves_nobody_is_taken(more):
    check_change(PLAN, replace(PLAN, **more), now=15.0)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"salt": "x"}, "salt: was another"),
        ({"layer": "x"}, "layer: was another"),
        ({"span": (0.0, 0.5)}, "span: was another"),
        ({"holdout": 0.1}, "holdout: was another"),
        ({"kind": "interleaving"}, "kind: was another"),
        ({"start": 16.0}, "start: was another"),
        ({"arms": (ARMS[1], ARMS[0])}, r"arms\[0\].name: the control was control"),
        ({"arms": (ARMS[0], Arm("newer"))}, "arms: new is gone.*weight 0"),
        ({"arms": (ARMS[0], Arm("new", 1.0, "second", Settings(diversity=0.5)))}, r"arms\[1\].settings"),
        ({"arms": (ARMS[0], Arm("new"))}, r"arms\[1\].model: the server's own"),
        ({"ramp": Ramp((RampStep(10.0, 0.1),))}, "ramp: the share is 0.1 now and was 0.2"),
        ({"ramp": Ramp((RampStep(16.0, 1.0),))}, "ramp: the share is 0 now and was 0.2"),
    ],
)
def test_what_would_move_users_is_refused(more, words):
    with pytest.raises(ParameterError, match=words):
        check_change(PLAN, replace(PLAN, **more), now=15.0)


def test_before_its_start_the_start_may_move():
    check_change(PLAN, replace(PLAN, start=7.0), now=4.0)


def test_an_experiment_that_is_over_stays_over():
    over = replace(PLAN, ramp=Ramp((RampStep(10.0, 0.1),)), end=14.0)
    check_change(over, replace(over, end=13.0), now=15.0)
    for end in (None, 20.0):
        with pytest.raises(ParameterError, match="end: the experiment is over"):
            check_change(over, replace(over, end=end), now=15.0)
