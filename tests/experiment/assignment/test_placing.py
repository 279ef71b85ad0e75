"""Nobody moves: not by a ramp, not by weights once he is known, not by what else runs in the layer."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from isotherm.experiment.assignment import Placement, bucket, place, placements
from isotherm.experiment.plan import INTERLEAVED, Arm, Experiment, Ramp, RampStep

ARMS = (Arm("control"), Arm("new"))
USERS = [f"u{n}" for n in range(3000)]

users = st.integers(-(2**63), 2**63 - 1) | st.text(min_size=1)
shares = st.floats(0, 1)
weights = st.lists(st.floats(0, 100), min_size=2, max_size=5).filter(any)


def nothing(_):
    return None


def in_arms(weights):
    return tuple(Arm(f"arm{n}", weight) for n, weight in enumerate(weights))


@st.composite
def ramps(draw):
    steps = sorted(draw(st.lists(st.tuples(st.floats(0, 100), shares), min_size=1, max_size=5,
                                 unique_by=lambda step: step[0])))  # fmt: skip
    grown = np.maximum.accumulate([share for _, share in steps]).tolist()
    return Ramp(tuple(RampStep(since, share) for (since, _), share in zip(steps, grown, strict=True)))


@given(users, weights, ramps(), st.lists(st.floats(0, 120), min_size=2, max_size=6))
def test_who_is_in_stays_in_his_arm_while_the_ramp_grows(user, weights, ramp, times):
    experiment = Experiment("films", in_arms(weights), ramp=ramp)
    seen = [place(experiment, user, at) for at in sorted(times)]
    placed = [each for each in seen if each is not None]
    assert len(set(placed)) <= 1
    assert seen[len(seen) - len(placed) :] == placed  # once in, in


@given(users, weights, weights, shares)
def test_who_was_shown_something_stays_when_weights_change(user, before, after, share):
    n = max(len(before), len(after))
    old, new = (in_arms(each + [0.0] * (n - len(each))) for each in (before, after))
    ramp = Ramp((RampStep(0.0, share),))
    first = place(Experiment("films", old, ramp=ramp), user, 1.0)
    changed = Experiment("films", new, ramp=ramp)
    if first is None:
        assert place(changed, user, 1.0) is None
        return
    now = place(changed, user, 1.0, first.arm)
    assert now.arm == first.arm
    assert now.reason == ("hash" if place(changed, user, 1.0).arm == first.arm else "sticky")


@given(users, st.lists(st.floats(0.01, 0.99), min_size=1, max_size=4, unique=True), shares)
def test_a_layer_gives_a_user_one_experiment(user, cuts, holdout):
    ends = [0.0, *sorted(cuts), 1.0]
    plans = [
        Experiment(f"e{n}", ARMS, span=(low, high), holdout=holdout * 0.9)
        for n, (low, high) in enumerate(pairwise(ends))
    ]
    found = placements(plans, user, 0.0, nothing)
    is_out = bucket("isotherm/holdout", user) < holdout * 0.9
    assert len(found) == (0 if is_out else 1)
    assert found == placements(plans[::-1], user, 0.0, nothing)


@settings(max_examples=20)
@given(weights)
def test_a_weight_of_0_takes_nobody_new(weights):
    experiment = Experiment("films", in_arms(weights))
    counts = Counter(place(experiment, user, 0.0).arm for user in USERS[:300])
    assert set(counts) <= {arm.name for arm in experiment.arms if arm.weight > 0}


def test_arms_get_their_shares_and_the_control_no_worse_users():
    experiment = Experiment("films", in_arms([1, 2, 5]))
    arms = [place(experiment, user, 0.0).arm for user in USERS]
    counts = Counter(arms)
    observed = [counts[f"arm{n}"] for n in range(3)]
    assert stats.chisquare(observed, np.array([1, 2, 5]) / 8 * len(USERS)).pvalue > 1e-3


def test_layers_are_independent_of_each_other_and_of_the_ramp():
    one = Experiment("a", ARMS, ramp=Ramp((RampStep(0, 0.5),)))
    other = Experiment("b", ARMS, layer="x")
    table = Counter()
    for user in USERS:
        placed = {each.experiment: each.arm for each in placements([one, other], user, 0.0, nothing)}
        table[placed.get("a"), placed["b"]] += 1
    observed = [[table[a, b] for b in ("control", "new")] for a in ("control", "new", None)]
    assert stats.chi2_contingency(observed).pvalue > 1e-3
    assert abs(sum(observed[2]) / len(USERS) - 0.5) < 0.04


def test_the_holdout_is_the_same_of_all_experiments():
    plans = [Experiment(name, ARMS, layer=name, holdout=0.2) for name in "abc"]
    counts = Counter(len(placements(plans, user, 0.0, nothing)) for user in USERS)
    assert set(counts) == {0, 3}
    assert abs(counts[0] / len(USERS) - 0.2) < 0.03


def test_testers_get_their_arm_from_before_the_start_until_the_end():
    experiment = Experiment(
        "films", ARMS, start=10.0, end=20.0, holdout=0.99, ramp=Ramp((RampStep(10, 0),)),
        overrides={"eve": "new", "7": "control"},
    )  # fmt: skip
    tester = Placement("films", "new", "override")
    assert [place(experiment, "eve", at, "control") for at in (0.0, 15.0, 20.0)] == [tester, tester, None]
    assert place(experiment, 7, 0.0).arm == "control"
    neighbour = Experiment("other", ARMS)
    asked = placements([neighbour, experiment], "eve", 15.0, nothing)
    assert asked == [tester]


def test_nobody_is_in_before_the_start_and_after_the_end():
    experiment = Experiment("films", ARMS, start=10.0, end=20.0)
    assert [place(experiment, "ann", at, "new") is None for at in (9.9, 10.0, 19.9, 20.0)] == [
        True, False, False, True,
    ]  # fmt: skip


def test_what_is_kept_is_asked_only_of_who_may_be_in():
    asked = []
    one, other = Experiment("a", ARMS, ramp=Ramp((RampStep(0, 0.3),))), Experiment("b", ARMS, layer="x")
    for user in USERS[:200]:
        placements([one, other], user, 0.0, lambda experiment: asked.append(experiment.name))
    assert asked.count("b") == 200
    assert 30 < asked.count("a") < 90


def test_interleaved_users_have_one_arm():
    experiment = Experiment("films", ARMS, kind="interleaving", ramp=Ramp((RampStep(0, 0.5),)))
    found = {place(experiment, user, 0.0) for user in USERS[:100]}
    assert found == {None, Placement("films", INTERLEAVED, "hash")}


@pytest.mark.parametrize("user", ["ann", 7])
def test_a_changed_salt_is_another_experiment(user):
    experiment = Experiment("films", in_arms([1] * 20))
    arms = {place(replace(experiment, salt=f"s{n}"), user, 0.0).arm for n in range(40)}
    assert len(arms) > 5
