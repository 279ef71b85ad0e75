"""The result of an experiment whose lists are interleaved: which of two models the users prefer.

The preference is the second model's share of the lists with a winner; 0.5 says that neither is better. On the
planned day its interval decides, else a confidence sequence (``sequences.reach``) around it, as people look
when they like. Bots are left out by the rules of the log. Lists are held in memory, as Parquet has them.
"""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from isotherm.errors import EventLogError, ParameterError, shown_path
from isotherm.experiment.analysis.effects import Interval
from isotherm.experiment.analysis.options import AnalysisOptions
from isotherm.experiment.analysis.planned import planned
from isotherm.experiment.analysis.sequences import reach
from isotherm.experiment.analysis.verdict import Clock, Verdict, waiting
from isotherm.experiment.interleaving import Preference, compare, credit
from isotherm.experiment.log import EventLog, Window, read_users
from isotherm.experiment.log.sources import NUMBERED, Table
from isotherm.experiment.plan import INTERLEAVED, Experiment
from isotherm.experiment.student_t import LEVEL
from isotherm.files import finite, write_json

METRIC = "preference"
_EVEN = 0.5


@dataclass(frozen=True)
class PreferenceResult:
    """A comparison, with its verdict, under the names of ``Result``."""

    arms: tuple[str, str]  #: the first and the second model's
    preference: Preference
    sequence: Interval  #: of the share, valid over all looks
    verdict: Verdict
    days: int  #: of the log
    counts: dict[str, int]  #: of the log

    @property
    def words(self) -> list[str]:
        """What to know, in plain sentences; the verdict first."""
        return self.verdict.words

    def to_dict(self) -> dict[str, Any]:
        """As result.json has it; estimate, low and high are of the share."""
        told = self.preference
        figures = {"estimate": told.share, "low": told.low, "high": told.high, "p": told.p}
        about = {"arm": self.arms[1], "against": self.arms[0]}
        metric = {"metric": METRIC, **about, "role": "goal", "wanted": "up", **figures, "p_adjusted": told.p}
        arms = [
            {"name": name, "users": told.users, "values": {METRIC: share}, "lists_won": won}
            for name, share, won in zip(self.arms, (1 - told.share, told.share), told.won, strict=True)
        ]
        whole: dict[str, Any] = finite(
            {"metric": METRIC, **figures, "verdict": self.verdict.action, **about}
            | {"wait_days": self.verdict.wait_days, "words": self.words, "days": self.days}
            | {"sample_ratio": None, "arms": arms, "counts": self.counts, "preference": told.to_dict()}
            | {"metrics": [{**metric, "sequence": asdict(self.sequence)}]}
        )
        return whole

    def write_json(self, path: str | os.PathLike[str]) -> None:
        """Write ``to_dict``. Raises OutputError."""
        write_json(path, self.to_dict())


def preference(plan: Experiment, folder: Path, options: AnalysisOptions) -> PreferenceResult:
    """What users prefer.  folder: an event log with the exposures of the experiment, and their teams.

    Raises EventLogError, InteractionsError where the log cannot be used or no list has a winner, and
    ParameterError for another level than 0.95.
    """
    if options.level != LEVEL:
        raise ParameterError(f"level is {options.level:g}; a preference is told at {LEVEL:g}: leave it out")
    log = EventLog.of_folder(folder)
    if log.exposures is None:
        raise EventLogError(
            f"{shown_path(folder)}: holds no exposures, which say whose each item is; export them, too"
        )
    window = Window(plan.name, (INTERLEAVED,), plan.start, plan.end)
    users = read_users(log, window)
    if not len(users):
        raise EventLogError(
            f"{shown_path(log.assignments.files[0])}: nobody was shown a list of {plan.name} within its "
            "time; name the plan of this log, or wait"
        )
    kind, kept = log.id_kind("user_id"), users.kept.ids.alias("user_id").to_frame()
    lists, events = (_frame(table, kind, window, kept) for table in (log.exposures, log.events))
    lists = lists.filter(pl.col("experiment") == plan.name)
    if "teams" in lists.columns:
        lists = lists.filter(pl.col("teams").is_not_null())
    told, names = compare(credit(lists, events)), (plan.arms[0].name, plan.arms[1].name)
    sequence = _sequence(told, options)
    clock = Clock(users.days, planned(plan, folder).planned_days)
    verdict = _verdict(names, told, sequence, clock, options.longest)
    return PreferenceResult(names, told, sequence, verdict, users.days, users.counts.as_dict())


def _frame(table: Table, kind: str, window: Window, kept: pl.DataFrame) -> pl.DataFrame:
    """The rows of some users within the experiment's time: ids as ``read_users`` tells them, times in UTC."""
    frame = pl.concat([pl.read_parquet(file, glob=False) for file in table.files], how="diagonal_relaxed")
    dtype = frame["timestamp"].dtype
    if not isinstance(dtype, pl.Datetime):
        raise EventLogError(
            f"{shown_path(table.files[0])}: column 'timestamp' holds {dtype}; to compare "
            "interleaved lists write timestamps"
        )
    user, flag = pl.col("user_id"), "user_id" + NUMBERED
    if kind == "mixed":
        numbers = pl.col(flag) if flag in frame.columns else pl.lit(frame["user_id"].dtype.is_integer())
        user = pl.when(numbers).then(pl.lit("n")).otherwise(pl.lit("t")) + user.cast(pl.String)
    else:
        user = user.cast(pl.Int64 if kind == "integer" else pl.String)
    time = pl.col("timestamp").dt.cast_time_unit("us")
    utc = time.dt.replace_time_zone("UTC") if dtype.time_zone is None else time.dt.convert_time_zone("UTC")
    start, end = window.span
    inside = pl.col("timestamp").dt.epoch("us").is_between(start, end, closed="left")
    placed = frame.with_columns(user.alias("user_id"), utc).filter(inside)
    return placed.join(kept, on="user_id", how="semi", maintain_order="left")


def _sequence(told: Preference, options: AnalysisOptions) -> Interval:
    """Of the share; nothing is told by fewer users than confidence sequences begin with."""
    if told.users < options.fewest or told.deviation <= 0:
        return Interval(0.0, 1.0)
    half = reach(told.deviation / told.users**0.5, options.prior_scale, options.level)
    return Interval(max(0.0, told.share - half), min(1.0, told.share + half))


def _verdict(
    arms: tuple[str, str], told: Preference, sequence: Interval, clock: Clock, longest: int
) -> Verdict:
    """Ship the second model, stop, or wait."""
    first, second = arms
    decides = Interval(told.low, told.high) if clock.planned_look else sequence
    opened = (
        f"Users prefer {second} to {first} in {told.share:.1%} of {sum(told.won):,} lists with a winner "
        f"[{decides.low:.1%}, {decides.high:.1%}] ({clock.interval}); "
        f"{told.users:,} users; 50% is no preference."
    )

    def verdict(action: Any, words: str, days: int | None = None) -> Verdict:
        return Verdict(action, METRIC, second, days, [opened, words])

    if decides.low > _EVEN:
        return verdict("ship", f"Ship: users prefer {second}.")
    if decides.high < _EVEN:
        return verdict("stop", f"Stop: users prefer {first}.")
    distance = max(abs(told.share - _EVEN), 1e-3)
    days = clock.days_until(((decides.high - decides.low) / 2 / distance) ** 2)
    return verdict("wait", waiting(days, longest, "the interval is still too wide to say"), days)
