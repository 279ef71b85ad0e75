"""Experiments of one layer exclude each other, and those of two layers change different things."""

import pytest

from isotherm.errors import ParameterError
from isotherm.experiment.plan import Arm, Experiment, Exploration, Settings, check_together

DIVERSE = Arm("new", settings=Settings(diversity=0.5))
COLD = Arm("new", settings=Settings(cold_least=1))
MODEL = Arm("new", model="second")


def made(name, arm=DIVERSE, **more):
    return Experiment(name, (Arm("control"), arm), **more)


def test_spans_of_a_layer_do_not_overlap():
    check_together([made("a", span=(0, 0.5)), made("b", span=(0.5, 1))])
    check_together([made("a", end=5.0), made("b", start=5.0)])
    with pytest.raises(ParameterError, match=r"b.json: span: .*overlaps \[0, 0.5\] of a.json"):
        check_together([made("a", span=(0, 0.5)), made("b", span=(0.4, 1))], ["a.json", "b.json"])
    with pytest.raises(ParameterError, match="overlaps"):
        check_together([made("a", end=5.1), made("b", start=5.0)])


def test_a_tester_is_in_one_experiment_of_a_layer():
    spans = {"a": (0, 0.5), "b": (0.5, 1)}
    with pytest.raises(ParameterError, match=r"overrides.'eve': is a tester of a in the same layer"):
        check_together([made(name, span=span, overrides={"eve": "new"}) for name, span in spans.items()])


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        (made("a", MODEL), made("b", MODEL, layer="x"), "model"),
        (made("a", COLD), made("b", COLD, layer="x"), "cold"),
        (made("a", DIVERSE), made("b", DIVERSE, layer="x"), "diversity"),
        (made("a", MODEL), made("b", MODEL, kind="interleaving", layer="x"), "model"),
        (
            made("a", exploration=Exploration("epsilon", 0.1)),
            made("b", COLD, exploration=Exploration("epsilon", 0.1), layer="x"),
            "exploration",
        ),
    ],
)
def test_layers_change_different_things(one, other, what):
    with pytest.raises(ParameterError, match=f"b: layer: a changes {what} in layer 'default'"):
        check_together([one, other])
    check_together([made("a", MODEL), made("b", COLD, layer="x"), made("c", DIVERSE, layer="y")])


def test_names_differ_and_the_holdout_is_one():
    with pytest.raises(ParameterError, match=r"b.json: name: a.json declares 'a', too"):
        check_together([made("a"), made("a", span=(0, 1))], ["a.json", "b.json"])
    with pytest.raises(ParameterError, match=r"b: holdout is 0.1, and 0 in a.*give both the same"):
        check_together([made("a"), made("b", layer="x", holdout=0.1)])


def test_layers_do_not_share_a_salt():
    with pytest.raises(ParameterError, match=r"b: salt: 's' is that of a, too.*same arm of both"):
        check_together([made("a", COLD, salt="s"), made("b", DIVERSE, layer="x", salt="s")])
    with pytest.raises(ParameterError, match="salt: 'a' is that of a"):
        check_together([made("a", COLD), made("b", DIVERSE, layer="x", salt="a")])
