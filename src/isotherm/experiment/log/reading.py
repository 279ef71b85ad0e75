"""Reads an event log of any size: Parquet files in, a row for each exposed user of an experiment out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from isotherm.checks import above
from isotherm.experiment.log.assigned import make_assigned
from isotherm.experiment.log.bots import Bots
from isotherm.experiment.log.clicks import make_clicked, make_fast_clickers
from isotherm.experiment.log.cold import make_cold_items
from isotherm.experiment.log.columns import Reader
from isotherm.experiment.log.counting import counts_of_events
from isotherm.experiment.log.counts import Counts
from isotherm.experiment.log.event_table import Columns, check_types, has_impressions, make_events
from isotherm.experiment.log.item_sums import item_sums
from isotherm.experiment.log.moments import DailySums
from isotherm.experiment.log.repeats import make_suspects
from isotherm.experiment.log.rules import Rules
from isotherm.experiment.log.sources import EventLog
from isotherm.experiment.log.user_days import Block, blocks, in_units, make_user_days
from isotherm.experiment.log.users import MEASURES, Users, group_of
from isotherm.experiment.log.window import DAY, Window
from isotherm.experiment.log.workspace import reading_memory, workspace
from isotherm.progress import expect_stages, stage
from isotherm.types import Bools, Float64


def read_users(
    log: EventLog, window: Window, rules: Rules | None = None, memory: float | None = None
) -> Users:
    """Each exposed user of an experiment, and what the log says of all of them.

    memory: bytes to work in; beyond them, rows go to a temporary folder, which is removed at the end. None: 8
    GiB, or half of what there is where that is less. The result itself takes some 150 bytes a user.
    Raises EventLogError that names file, column, row and cure; MissingPackageError without DuckDB.
    """
    rules = rules or Rules()
    room = reading_memory() if memory is None else int(above("memory", memory, 0))
    with stage("read the event log"), workspace(log.files, room) as db:
        expect_stages(5)
        reader = Reader.of(db, log)
        with stage("users and lists"):
            assignments = make_assigned(reader, window)
            make_cold_items(reader, window)
        with stage("repeated events"):
            make_suspects(reader, room // 4)
        with stage("events"):
            columns = _columns(reader, window, rules)
            make_events(columns)
            check_types(reader)
        with stage("clicks and days"):
            make_clicked(reader, rules)
            make_fast_clickers(reader, rules)
            make_user_days(reader, columns.day_of_exposure)
        with stage("users"):
            return _users(columns, assignments)


def _columns(reader: Reader, window: Window, rules: Rules) -> Columns:
    start = window.span[0]
    if window.start is None:
        start = _number(reader, "SELECT coalesce(min(first), 0) FROM assigned")
    from_lists = rules.impressions == "lists"
    if rules.impressions == "auto" and reader.log.exposures is not None:
        from_lists = not has_impressions(reader)
    return Columns(reader, window, rules, start // DAY * DAY, from_lists)


def _number(reader: Reader, query: str) -> int:
    return int(reader.row(query)[0])


@dataclass(frozen=True)
class _Part:
    """Users of a block."""

    block: Block
    measures: Float64  #: (n_users, 10) MEASURES
    bots: Bots

    @classmethod
    def of(cls, block: Block, rules: Rules) -> "_Part":
        totals = block.totals(block.day >= 0)
        before = block.before.astype(np.float64)
        before[:, 2] /= 1e6
        measures = np.concatenate([in_units(totals), before], axis=1)
        return cls(block, measures, Bots.of(block, totals, rules))

    @property
    def kept(self) -> Bools:
        return np.asarray(~(self.bots.any | self.block.several))


def _users(columns: Columns, assignments: dict[str, int]) -> Users:
    reader, arms = columns.reader, columns.window.arms
    n_users = _number(reader, "SELECT count(*) FROM assigned")
    n_days = 1 + _number(reader, "SELECT coalesce(max(greatest(day, 0)), 0) FROM user_days")
    sums, parts = DailySums(n_days, len(arms)), []
    for block in blocks(reader, n_users, columns.day_of_exposure):
        parts.append(part := _Part.of(block, columns.rules))
        sums.add(block, part.kept, part.measures[:, -3:])
    told: Any = pl.from_arrow(
        reader.db.sql("SELECT user_id, weights FROM assigned ORDER BY u").to_arrow_table()
    )
    versions = told["weights"]
    weights = (
        None if versions.null_count() == len(versions) else versions.fill_null(-1).cast(pl.Int32).to_numpy()
    )
    known = _columns_of(parts)
    kept = ~(known["bot"] | known["several_arms"])
    caps = _caps(known, kept, columns.rules)
    known["outlier"] = np.any([known[name] > cap for name, cap in caps.items()] or [kept & False], axis=0)
    counts = counts_of_events(reader) | assignments | _counts_of_users(parts, known)
    return Users(
        arms=arms,
        ids=told["user_id"],
        **known,
        weights=weights,
        caps=caps,
        days=n_days,
        daily=sums.daily(),
        items=item_sums(reader, len(arms), np.flatnonzero(kept), known["arm"][kept]),
        counts=Counts(**counts),
    )


def _columns_of(parts: list[_Part]) -> dict[str, Any]:
    """Name -> (n_users,) a column of ``Users``."""
    measures = np.concatenate([part.measures for part in parts])
    columns: dict[str, Any] = {name: measures[:, place].copy() for place, name in enumerate(MEASURES)}
    columns["arm"] = np.concatenate([part.block.arm for part in parts]).astype(np.int32)
    columns["first"] = np.concatenate([part.block.first for part in parts]).astype(np.int32)
    columns["bot"] = np.concatenate([part.bots.any for part in parts])
    columns["several_arms"] = np.concatenate([part.block.several for part in parts])
    columns["clicks_before_group"] = group_of(columns["before_clicks"])
    return columns


def _caps(columns: dict[str, Any], kept: Bools, rules: Rules) -> dict[str, float]:
    """Column -> its cap; a column that is zero throughout has none."""
    caps = {}
    for name in rules.capped:
        positive = columns[name][kept & (columns[name] > 0)]
        if len(positive):
            caps[name] = float(np.quantile(positive, rules.cap_quantile))
    return caps


def _counts_of_users(parts: list[_Part], columns: dict[str, Any]) -> dict[str, int]:
    rules = {name: sum(int(getattr(part.bots, name).sum()) for part in parts) for name in vars(parts[0].bots)}
    return {
        "users": len(columns["arm"]),
        "several_arms": int(columns["several_arms"].sum()),
        "bots": int(columns["bot"].sum()),
        "outliers": int(columns["outlier"].sum()),
        **{f"bots_{name}": n for name, n in rules.items()},
    }
