"""Long stages say what they do: once, in plain lines off a terminal, and not at all when they fail."""

import pytest

from isotherm import progress


@pytest.fixture
def lines(capsys):
    progress.watch_with("auto")
    yield lambda: capsys.readouterr().err.splitlines()
    progress.watch_with("silent")


def test_one_line_for_a_finished_stage_and_none_for_those_inside(lines):
    with progress.stage("outer", 3) as advance:
        advance(3)
        with progress.stage("inner"):
            pass
    shown = lines()
    assert len(shown) == 1
    assert shown[0].startswith("outer (")


def test_failed_stage_says_nothing(lines):
    with pytest.raises(ZeroDivisionError), progress.stage("doomed"):
        1 / 0  # noqa: B018
    assert lines() == []
    with progress.stage("next"):
        pass
    assert lines()[0].startswith("next (")


def test_silence(capsys):
    progress.watch_with("silent")
    with progress.stage("quiet"):
        pass
    assert capsys.readouterr().err == ""


def test_bar_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    progress.watch_with("auto")
    with progress.stage("bar", 2) as advance:
        advance(2)
    assert "bar (0.0 s)" in capsys.readouterr().err


def test_a_long_stage_tells_now_and_then_how_far_it_is(lines, monkeypatch):
    clock = iter([0.0, 3.0, 12.0, 12.0, 15.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.stage("train"):
        progress.set_status("epoch 1")
        with progress.stage("inner"):
            progress.set_status("epoch 2")
        progress.set_status("epoch 3")
    shown = lines()
    assert shown[0] == "train: epoch 2"
    assert len(shown) == 2
    progress.set_status("nobody listens")
    assert lines() == []
