"""The result of interleaved lists, from a log on disk."""

import numpy as np
import polars as pl
import pytest

pytest.importorskip("duckdb")

from isotherm.errors import EventLogError, ParameterError
from isotherm.experiment.analysis.options import AnalysisOptions
from isotherm.experiment.analysis.preference import preference
from isotherm.experiment.plan import INTERLEAVED, Arm, Experiment
from tests.experiment.log.logs import assignment, event, exposure, write

PLAN = Experiment("x", (Arm("old"), Arm("new")), kind="interleaving")


def log_of(folder, users, share):
    """One list a user; the second model's item is clicked by this share of them, else the first's."""
    rng = np.random.default_rng(0)
    wins = rng.random(users) < share
    lists = [exposure(n, n, 1, [1, 2], [False, False], INTERLEAVED) for n in range(users)]
    lists.append(exposure(users, 0, 2, [1, 2], [False, False], "a", "another"))
    clicks = [event(n, n, "click", 1.1, 2 if won else 1) for n, won in enumerate(wins)]
    write(folder, clicks, [assignment(n, INTERLEAVED, 1) for n in range(users)], lists)
    frame = pl.read_parquet(folder / "exposures.parquet", glob=False)
    teams = pl.Series("teams", [[0, 1]] * users + [None], pl.List(pl.Int64))
    frame.with_columns(teams).write_parquet(folder / "exposures.parquet")
    return int(wins.sum())


def test_the_preference_is_told_in_the_names_of_a_result(tmp_path):
    won = log_of(tmp_path / "log[1]", 600, 0.7)
    told = preference(PLAN, tmp_path / "log[1]", AnalysisOptions()).to_dict()
    assert told["metric"] == "preference"
    assert told["estimate"] == won / 600
    assert 0.5 < told["low"] < told["estimate"] < told["high"] < 1
    assert told["p"] < 1e-6
    assert (told["verdict"], told["arm"], told["against"]) == ("ship", "new", "old")
    assert [arm["lists_won"] for arm in told["arms"]] == [600 - won, won]
    assert told["metrics"][0]["sequence"]["low"] < told["low"]
    assert told["words"][1] == "Ship: users prefer new."


@pytest.mark.parametrize(("share", "verdict"), [(0.3, "stop"), (0.53, "wait")])
def test_the_other_verdicts(tmp_path, share, verdict):
    log_of(tmp_path, 600, share)
    assert preference(PLAN, tmp_path, AnalysisOptions()).verdict.action == verdict


def test_few_users_wait_and_what_cannot_be_told_is_refused(tmp_path):
    log_of(tmp_path, 20, 1.0)
    assert preference(PLAN, tmp_path, AnalysisOptions()).verdict.action == "wait"
    with pytest.raises(ParameterError, match=r"a preference is told at 0\.95"):
        preference(PLAN, tmp_path, AnalysisOptions(level=0.9))
    late = Experiment("x", PLAN.arms, kind="interleaving", start=1e6)
    with pytest.raises(EventLogError, match="nobody was shown a list of x within its time"):
        preference(late, tmp_path, AnalysisOptions())
    (tmp_path / "exposures.parquet").unlink()
    with pytest.raises(EventLogError, match="holds no exposures"):
        preference(PLAN, tmp_path, AnalysisOptions())
