"""A plan is read strictly: what is wrong is refused with the file, the key and the cure."""

import json

import pytest

from isotherm.errors import ParameterError
from isotherm.experiment.plan import Arm, Experiment, Exploration, Ramp, RampStep, Settings, experiment_of
from isotherm.experiment.plan.reading import plan_of, read_plan

PLAN = {
    "name": "films",
    "salt": "s1",
    "layer": "lists",
    "span": [0, 0.5],
    "arms": [
        {"name": "control"},
        {
            "name": "new",
            "weight": 3,
            "model": "models/second",
            "settings": {"cold": {"min": 1, "max": 4}, "diversity": 0.25},
        },
    ],
    "ramp": [{"from": "2026-03-01T00:00:00Z", "share": 0.1}, {"from": 1.8e9, "share": 1}],
    "holdout": 0.05,
    "overrides": {"eve": "new"},
    "start": 10,
    "end": "2030-01-01T00:00:00+01:00",
    "exploration": {"kind": "softmax", "share": 0.2, "temperature": 2.5, "from_rank": 3},
    "kind": "arms",
}
MINIMAL = {"name": "films", "arms": [{"name": "control"}, {"name": "new"}]}


def written(tmp_path, content):
    file = tmp_path / "plan.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_every_key_is_read(tmp_path):
    assert read_plan(written(tmp_path, PLAN)) == Experiment(
        "films",
        (Arm("control"), Arm("new", 3.0, str(tmp_path / "models/second"), Settings(1, 4, 0.25))),
        "s1",
        "lists",
        (0.0, 0.5),
        Ramp((RampStep(1772323200.0, 0.1), RampStep(1.8e9, 1.0))),
        0.05,
        {"eve": "new"},
        10.0,
        1893452400.0,
        Exploration("softmax", 0.2, 3, 2.5),
    )


def test_what_is_left_out_has_its_default(tmp_path):
    plan = read_plan(written(tmp_path, MINIMAL))
    assert plan == Experiment("films", (Arm("control"), Arm("new")))
    assert (plan.salted, plan.ramp.share_at(0), plan.shares) == ("films", 1.0, {"control": 0.5, "new": 0.5})
    nulls = dict.fromkeys(set(PLAN) - {"name", "arms"})
    assert experiment_of({**MINIMAL, **nulls}) == plan


@pytest.mark.parametrize("document", [PLAN, MINIMAL])
def test_what_is_written_is_read_as_the_same(document):
    plan = experiment_of(document, "/models")
    again = experiment_of(json.loads(json.dumps(plan_of(plan))))
    assert plan_of(again) == plan_of(plan)
    assert again.arms == plan.arms


def changed(**more):
    return {**MINIMAL, **more}


def arms(**more):
    return changed(arms=[{"name": "control"}, {"name": "new", **more}])


def explored(kind="softmax", share=1, **more):
    return changed(exploration={"kind": kind, "share": share, **more})


def ramp(*steps):
    return changed(ramp=[{"from": since, "share": share} for since, share in steps])


@pytest.mark.parametrize(
    ("document", "key", "cure"),
    [
        ([], "the plan is []", "give an object"),
        ({"arms": []}, "name is missing", "give it"),
        (changed(name=" "), "name is ' '", "give a name"),
        (changed(name="a\nb"), "name is", "give a name"),
        (changed(name="x" * 101), "name has 101 characters", "at most 100"),
        (changed(Name="x"), "Name is unknown", "the keys here are name, salt"),
        (changed(salt=1), "salt is 1", "give a text"),
        (changed(kind="multi"), "kind must be one of 'arms'", "'interleaving'"),
        (changed(arms=[{"name": "control"}]), "arms: there are 1", "declare 2 to 20"),
        (changed(arms=[{"name": "a"}, {"name": "a"}]), "arms[1].name 'a' stands twice", "name each arm"),
        (changed(arms=[{"name": "a", "weight": 0}, {"name": "b", "weight": 0}]), "arms: every weight is 0",
         "above 0"),
        (arms(weight=-1), "arms[1].weight", ">= 0"),
        (arms(weight=True), "arms[1].weight is True", "give a number"),
        (arms(weight="1"), "arms[1].weight is '1'", "give a number"),
        (arms(model=""), "arms[1].model is empty", "null for the server's own"),
        (arms(settings={"beta": 0.2}), "arms[1].settings.beta", "fit a model for each beta"),
        (arms(settings={"k": 5}), "arms[1].settings.k is unknown", "cold, diversity"),
        (arms(settings={"cold": {"least": 5}}), "arms[1].settings.cold.least is unknown", "min, max"),
        (arms(settings={"cold": {"min": 5, "max": 2}}), "arms[1].settings.cold.min is larger", "exchange"),
        (arms(settings={"cold": {"min": 1.0}}), "arms[1].settings.cold.min is 1.0", "a whole number"),
        (arms(settings={"diversity": 1.5}), "arms[1].settings.diversity", "<= 1"),
        (changed(span=[0.5, 0.5]), "span is [0.5, 0.5]", "first < second"),
        (changed(span=[0.5]), "span holds 1 numbers", "first and the last"),
        (changed(span=[-0.1, 1]), "span is", "0 <= first"),
        (changed(holdout=1), "holdout", "< 1"),
        (changed(overrides={"eve": "old"}), "overrides.'eve': 'old' is no arm", "name one of control, new"),
        (changed(overrides=["eve"]), "overrides is ['eve']", "give an object"),
        (changed(start="2026-03-01T00:00:00"), "start is '2026-03-01T", "with its zone"),
        (changed(start="soon"), "start is 'soon', which is no time", "ISO 8601"),
        (changed(start=1e300), "start is", "seconds since 1970"),
        (changed(start=5, end=5), "end is not after start", "exchange"),
        (changed(ramp=[{"from": 1, "share": 1.5}]), "ramp[0].share", "<= 1"),
        (changed(ramp=[{"from": 1}]), "ramp[0].share is missing", "give it"),
        (ramp((2, 0.1), (1, 0.2)), "ramp[1].from", "order"),
        (ramp((1, 0.2), (2, 0.1)), "ramp[1].share", "only grows"),
        (changed(exploration={"kind": "greedy", "share": 0.1}), "exploration.kind", "'epsilon', 'softmax'"),
        (changed(exploration={"kind": "epsilon"}), "exploration.share is missing", "give it"),
        (explored(share=0), "exploration.share", "> 0"),
        (explored(temperature=0), "exploration.temperature", "> 0"),
        (explored(from_rank=0), "exploration.from_rank", ">= 1"),
        (explored(pool=5, from_rank=5), "exploration.pool", "give a larger"),
        (explored(kind="epsilon") | {"kind": "interleaving"}, "exploration", "leave one"),
        (changed(kind="interleaving", overrides={"eve": "new"}), "overrides", "leave them out"),
        ({**arms(weight=2), "kind": "interleaving"}, "arms[1].weight", "leave the weights out"),
        (changed(kind="interleaving", arms=[{"name": n} for n in "abc"]), "arms: two lists", "two arms"),
    ],
)  # fmt: skip
def test_a_bad_plan_is_refused_with_file_key_and_cure(tmp_path, document, key, cure):
    with pytest.raises(ParameterError) as refused:
        read_plan(written(tmp_path, document))
    words = str(refused.value)
    assert f"plan.json: {key}" in words
    assert cure in words[words.index("plan.json") :]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "no JSON"),
        ('{"name": "a", "name": "b"}', "'name' is there twice"),
        ('{"name": NaN}', "not a finite number"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_json_is_refused(tmp_path, content, words):
    with pytest.raises(ParameterError, match=f"plan.json: .*{words}"):
        read_plan(written(tmp_path, content))


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(ParameterError, match=r"none.json: cannot be read \(No such file.*name the file"):
        read_plan(tmp_path / "none.json")


def test_a_ramp_may_shrink_once_the_experiment_has_ended():
    steps = [{"from": 1, "share": 0.2}, {"from": 9, "share": 0}]
    assert experiment_of({**MINIMAL, "ramp": steps, "end": 9}).ramp.share_at(8) == 0.2
    with pytest.raises(ParameterError, match="only grows"):
        experiment_of({**MINIMAL, "ramp": steps, "end": 9.5})
