"""The tables on a terminal: whole, narrow enough, and true to the evaluation."""

import re

import pytest

from isotherm import ContentKNN, Popularity, evaluate
from isotherm.cli.results import show_evaluation
from isotherm.data import splits

NAMES = ["popularity", "content-knn", "item-knn", "ease", "marec", "kernel-ridge"]


@pytest.fixture
def evaluation(clicks, items):
    models = {name: ContentKNN() if name == "content-knn" else Popularity() for name in NAMES}
    return evaluate(splits.mixed(clicks, seed=0), models, items, ks=[5, 10], by=["history"])


def test_tables_of_six_models_and_two_lengths_fit_100_columns(evaluation, capsys):
    show_evaluation(evaluation, [5, 10])
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 100
    assert sum("hr@10" in line for line in lines) == 1
    assert sum("hr@5" in line for line in lines) == 3  # of sets, of new items, of groups


def test_tables_tell_what_is_asked_and_what_is_measured(evaluation, capsys):
    show_evaluation(evaluation, [5, 10])
    shown, warned = capsys.readouterr()
    for word in ("capped recall", "hit_rate", "recall", "new_share", "coverage", "min(k, clicks to find)"):
        assert word in shown
    for name, facts in evaluation.split["candidates"].items():
        section = shown.split(f"\n{name} ", 1)[1].split("\n \n")[0]
        assert f"{facts['users']:,} users" in section
        assert f"{facts['clicks']:,} clicks" in section
        assert f"{facts['new_item_share']:.1%} on new" in section
    result = evaluation.models["content-knn"]
    shares = [f"{result.mean('all', f'new_share@{k}'):.1%}" for k in (5, 10)]
    clicks = f"{evaluation.split['candidates']['all']['new_item_share']:.1%}"
    assert re.search(r"content-knn +[\d.]+ +" + " +".join([*shares, clicks]), shown)
    assert [line.removeprefix("warning: ") for line in warned.splitlines()] == evaluation.warnings


def test_nothing_is_said_of_new_items_where_there_are_none(clicks, capsys):
    evaluation = evaluate(splits.strong(clicks, seed=1), {"p": Popularity()}, ks=[5])
    show_evaluation(evaluation, [5])
    shown = capsys.readouterr().out
    assert "new" not in shown
    assert "coverage" in shown
