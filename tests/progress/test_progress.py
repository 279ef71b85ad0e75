"""Long jobs say how far they are: a bar on a terminal, a line every ten seconds elsewhere, and in calls."""

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from isotherm import progress
from isotherm.progress import heartbeat, running


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds

    def wait(self, seconds):
        self.seconds += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(running, "now", clock)
    return clock


@pytest.fixture
def lines(capsys):
    """What is written by then, as the command line shows it."""
    progress.watch_with("auto")
    return lambda: capsys.readouterr().err.splitlines()


@pytest.fixture
def library_lines(lines, monkeypatch):
    """The same of a call in Python, where nothing was chosen."""
    monkeypatch.setattr(progress, "_chosen", None)
    return lines


def test_one_line_for_a_finished_job_and_none_for_stages_inside(lines, clock):
    with progress.stage("fit", 3) as advance:
        advance(3)
        with progress.stage("inner"):
            clock.wait(2.5)
    assert lines() == ["fit (2.5 s)"]


def test_failed_job_says_nothing_and_the_next_one_begins_anew(lines, clock):
    with pytest.raises(ZeroDivisionError), progress.stage("doomed"), progress.stage("inner"):
        1 / 0  # noqa: B018
    with progress.stage("next"):
        clock.wait(1)
    assert lines() == ["next (1.0 s)"]


def test_silence(capsys, clock):
    progress.watch_with("silent")
    with progress.stage("quiet", 2) as advance:
        clock.wait(60)
        advance(1)
        progress.note("nobody asked")
    assert capsys.readouterr().err == ""


def test_a_line_every_ten_seconds_tells_what_is_done_and_left(lines, clock):
    with progress.stage("rank with ease", 2000, "users") as advance:
        for _ in range(5):
            clock.wait(6)
            advance(100)
    assert lines() == [
        "rank with ease, 200 of 2,000 users (10%) after 12 s, about 1 min 50 s left",
        "rank with ease, 400 of 2,000 users (20%) after 24 s, about 1 min 40 s left",
        "rank with ease (30.0 s)",
    ]


def test_a_stage_of_a_fit_is_told_with_its_number_and_the_time_of_the_whole(lines, clock):
    with progress.stage("fit marec"):
        progress.expect_stages(3)
        with progress.stage("encode", 4, "fields"):
            clock.wait(5)
        with progress.stage("learn weights", 4, "items") as advance:
            clock.wait(4)
            advance(1)
            clock.wait(4)
            advance(1)
            assert lines() == [
                "fit marec, stage 2 of 3: learn weights, 2 of 4 items (50%) after 8 s, "
                "about 8 s left; 13 s in all"
            ]
        with progress.stage("solve"):
            clock.wait(10)
            with progress.stage("invert", 8, "blocks") as advance:
                advance(2)
    assert lines() == [
        "fit marec, stage 3 of 3: solve, now invert, 0 of 8 blocks after 10 s; 23 s in all",
        "fit marec (23.0 s)",
    ]


def test_models_of_an_evaluation_are_numbered_and_each_job_is_told_at_its_end(lines, clock):
    with progress.series("evaluate", 2, "model") as next_model, progress.series("", 5, "fold") as next_fold:
        with progress.stage("fit ease"):
            clock.wait(3)
        next_fold(1)
        next_model(1)
        with progress.stage("fit marec"):
            progress.expect_stages(2)
            with progress.stage("encode", 4, "fields") as advance:
                clock.wait(8)
                advance(1)
    assert lines() == [
        "fit ease (3.0 s)",
        "evaluate, model 2 of 2, fold 2 of 5: fit marec, stage 1 of 2: encode, 1 of 4 fields (25%) "
        "after 8 s, about 25 s left; 11 s in all",
        "fit marec (8.0 s)",
    ]


def test_a_fit_within_a_stage_of_a_fit_is_told_by_its_own_stages(lines, clock):
    with progress.stage("fit marec"):
        progress.expect_stages(4)
        with progress.stage("train the backbone"), progress.stage("fit multvae"):
            progress.expect_stages(1)
            with progress.stage("train", 200, "epochs", may_stop=True) as advance:
                clock.wait(20)
                advance(2)
                clock.wait(10)
                progress.set_status("epoch 3 of 200, loss 310.2")
    assert lines()[:2] == [
        "fit marec, stage 1 of 4: train the backbone: fit multvae, stage 1 of 1: train, "
        "2 of 200 epochs (1%) after 20 s, at most 33 min left; 20 s in all",
        "fit marec, stage 1 of 4: train the backbone: fit multvae, stage 1 of 1: train, "
        "epoch 3 of 200, loss 310.2 (1%) after 30 s, at most 33 min left; 30 s in all",
    ]


def test_nothing_is_said_of_a_call_in_python_that_takes_less_than_ten_seconds(library_lines, clock):
    with progress.stage("fit", 10) as advance:
        clock.wait(9.9)
        advance(1)
        progress.note("for the log alone")
    assert library_lines() == []
    with progress.stage("fit", 10) as advance:
        clock.wait(10)
        advance(5)
        clock.wait(1)
    assert library_lines() == ["fit, 5 of 10 (50%) after 10 s, about 10 s left", "fit (11.0 s)"]


def test_the_heartbeat_tells_of_a_step_that_takes_long(lines, clock):
    with progress.stage("fit"), progress.stage("solve"):
        clock.wait(10)
        heartbeat.current_heartbeat().beat()
        assert lines() == ["fit: solve after 10 s; 10 s in all"]
        clock.wait(9)
        heartbeat.current_heartbeat().beat()
        assert lines() == []
    assert lines() == ["fit (19.0 s)"]
    clock.wait(100)
    heartbeat.current_heartbeat().beat()
    assert lines() == []


def test_an_estimate_counts_a_slow_step_before_it_is_done(clock):
    stage = running.Stage("solve", 4)
    job = running.Job(progress.Silent(), os.getpid())
    job.begin(stage)
    assert stage.seconds_left(clock()) is None
    clock.wait(2)
    job.advance(stage, 1)
    assert stage.seconds_left(clock()) == 6
    clock.wait(1)
    assert stage.seconds_left(clock()) == 5
    clock.wait(9)
    assert stage.seconds_left(clock()) == pytest.approx(8)  # the second step has taken 10 s so far
    job.advance(stage, 3)
    assert stage.seconds_left(clock()) is None


def test_steps_of_an_earlier_run_do_not_make_the_pace(lines, clock):
    with progress.stage("sweep", 12, "cells", 8) as advance:
        clock.wait(20)
        advance(1)
    assert lines()[0] == "sweep, 9 of 12 cells (75%) after 20 s, about 1 min left"


@pytest.mark.parametrize(
    ("verbose", "expected"),
    [
        (False, []),
        (
            True,
            [
                "fit ease, stage 1 of 2: count clicks (3.0 s)",
                "fit ease, stage 2 of 2: invert (1.0 s)",
                "fit ease (4.0 s)",
                "one thing more",
            ],
        ),
    ],
)
@pytest.mark.parametrize("chosen", ["auto", "silent"])
def test_a_call_says_by_verbose_what_it_shows(lines, clock, chosen, verbose, expected):
    progress.watch_with(chosen)
    with progress.watched(verbose):
        with progress.stage("fit ease"):
            progress.expect_stages(2)
            for title, seconds in (("count clicks", 3), ("invert", 1)):
                with progress.stage(title), progress.stage("deeper"):
                    clock.wait(seconds)
        progress.note("one thing more")
    assert lines() == expected


def test_verbose_ends_with_its_call_though_that_fails(lines, clock):
    with pytest.raises(ZeroDivisionError), progress.watched(False), progress.stage("quiet"):
        1 / 0  # noqa: B018
    with progress.stage("told"):
        clock.wait(1)
    assert lines() == ["told (1.0 s)"]


def test_a_silent_call_within_a_shown_one_and_the_other_way_round(lines, clock):
    with progress.watched(True), progress.stage("outer"):
        with progress.watched(False), progress.stage("inner"):
            clock.wait(20)
        with progress.watched(None), progress.stage("as around"):
            clock.wait(0)
    assert lines() == ["outer: as around after 0 s; 20 s in all", "outer (20.0 s)"]
    with progress.watched(False), progress.stage("outer"), progress.watched(True), progress.stage("inner"):
        clock.wait(1)
    assert lines() == ["inner (1.0 s)"]


def test_threads_have_jobs_of_their_own(lines, clock):
    together = Barrier(4, timeout=60)

    def fit(number):
        with progress.stage(f"fit {number}", 2) as advance:
            together.wait()
            advance(1)
            with progress.stage("inner"):
                together.wait()
            together.wait()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fit, range(4)))
    assert sorted(lines()) == [f"fit {number} (0.0 s)" for number in range(4)]


def test_steps_of_one_stage_from_many_threads_all_count(lines, clock):
    def count(advance):
        for _ in range(5_000):
            advance(1)

    with progress.stage("fit", 40_000) as advance, ThreadPoolExecutor(4) as pool:
        list(pool.map(count, [advance] * 4))
        clock.wait(10)
        heartbeat.current_heartbeat().beat()
    assert lines()[0].startswith("fit, 20,000 of 40,000 (50%) after 10 s")


@pytest.mark.parametrize("verbose", [None, True])
def test_a_closed_stream_costs_no_work(monkeypatch, clock, verbose):
    progress.watch_with("auto")
    closed = open(os.devnull, "w")  # noqa: SIM115
    closed.close()
    for stream in (closed, None):
        monkeypatch.setattr(sys, "stderr", stream)
        with progress.watched(verbose), progress.stage("fit"):
            clock.wait(10)
            heartbeat.current_heartbeat().beat()
            progress.note("lost")


def test_bar_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    progress.watch_with("auto")
    with progress.series("evaluate", 2, "model"), progress.stage("fit ease"):
        progress.expect_stages(1)
        with progress.stage("invert", 2, "blocks") as advance:
            advance(2)
    shown = capsys.readouterr().err
    assert "fit ease (0.0 s)" in shown
    assert "evaluate, model 1 of 2: fit ease, stage 1 of 1: invert" in " ".join(shown.split())


def test_a_second_job_beside_a_bar_is_told_in_lines(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    progress.watch_with("auto")
    watchers = []

    def fit():
        with progress.stage("other"):
            watchers.append(type(progress._current().watcher))

    with progress.stage("bar"), ThreadPoolExecutor(1) as pool:
        watchers.append(type(progress._current().watcher))
        pool.submit(fit).result()
    assert watchers == [progress.Bars, progress.Lines]
    fit()
    assert watchers[-1] is progress.Bars


SCRIPT = """
    import os, sys, time
    import numpy as np
    from scipy.sparse import csr_array
    from isotherm import EASE, Interactions
    from isotherm.progress import stage, watchers
    watchers.SECONDS_BETWEEN_LINES = 0.2

    class Slow(EASE):
        def _fit(self, clicks, items, options):
            with stage("wait", 4, "naps") as advance:
                for _ in range(2):
                    time.sleep(0.5)
                    advance(1)
            super()._fit(clicks, items, options)

    def fit(**options):
        Slow(l2=1.0).fit(Interactions.from_csr(csr_array(np.eye(3, dtype=np.float32))), **options)
"""


def output_of(script):
    """stdout and the lines on stderr of a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT) + textwrap.dedent(script)],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return done.stdout, done.stderr.splitlines()


def test_lines_come_through_a_pipe_while_a_step_runs():
    out, err = output_of("fit()\nprint('done')")
    assert out == "done\n"
    assert err[0].startswith("fit ease: wait, 0 of 4 naps (0%) after 0 s")
    assert any("wait, 1 of 4 naps (25%) after" in line for line in err)
    assert err[-1].startswith("fit ease (")
    assert output_of("fit(verbose=False)") == ("", [])


def test_a_forked_process_tells_of_its_own_jobs():
    _, err = output_of(
        """
        with stage("parent"):
            time.sleep(0.3)
            child = os.fork()
            if not child:
                sys.stderr.flush()
                fit()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        """
    )
    assert any(line.startswith("fit ease: wait, 0 of 4 naps") for line in err)
    assert any(line.startswith("parent after") for line in err)
    assert not any(line.startswith("parent: fit") for line in err)
