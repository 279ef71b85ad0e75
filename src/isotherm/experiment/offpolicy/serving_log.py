"""The log of a server, or of a warehouse: exposures with propensities, joined with events."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from isotherm.data.reading.formats import read_file
from isotherm.data.reading.tables import table_of
from isotherm.errors import InteractionsError, brief, shown_path
from isotherm.experiment.offpolicy.logged import Logged, codes
from isotherm.experiment.shown_items import DAY, shown_items
from isotherm.types import Float64

_EXPOSURES = ("request_id", "user_id", "timestamp", "items", "propensities")
_EVENTS = ("event_id", "user_id", "item_id", "type", "timestamp", "value")
_CURE = "give the experiment's plan an exploration, which makes the server log them"


@dataclass(frozen=True, eq=False)
class ServingLog:
    """A log.  target: (n,) the target propensities of its rows, None where no column was named.  counts: what
    was left out, lists and events by reason."""

    log: Logged
    target: Float64 | None
    counts: dict[str, int]


def read_serving_log(
    folder: Path, event: str = "click", within: float = DAY, target: str | None = None
) -> ServingLog:
    """The log of a folder with exposures*.parquet and events*.parquet, as a server exports them.

    Tables may lie in folders of these names, too. target: see ``serving_log_of``. Raises InteractionsError
    where a table is missing.
    """
    wanted = _EXPOSURES if target in (None, *_EXPOSURES) else (*_EXPOSURES, target)
    exposures, events = _read(folder, "exposures", wanted), _read(folder, "events", _EVENTS)
    return serving_log_of(exposures, events, event, within, target)


def serving_log_of(
    exposures: Any, events: Any, event: str = "click", within: float = DAY, target: str | None = None
) -> ServingLog:
    """The log of frames; the arguments are those of ``shown_items``, exposures with propensities.

    Lists without propensities, and lists that nobody is known to have seen, are left out and counted. A list
    that stands once for each of its experiments counts once.
    target: a column of exposures with the propensities of another policy, a list a row.
    """
    lists = table_of(exposures, InteractionsError).frame
    if "propensities" not in lists.columns:
        raise InteractionsError(f"exposures: column 'propensities' is missing; {_CURE}")
    counted_once = "request_id" in lists.columns
    once = lists.unique("request_id", keep="first", maintain_order=True) if counted_once else lists
    known = once.filter(pl.col("propensities").is_not_null())
    if not known.height:
        raise InteractionsError(f"exposures: no list has propensities; {_CURE}")
    columns = dict.fromkeys(("propensities",) if target is None else ("propensities", target))
    happened = table_of(events, InteractionsError).frame
    shown = shown_items(known, happened, event, within, columns)
    _check_type(happened["type"], event)
    counts = {"without_propensities": once.height - known.height, **shown.counts}
    found = None if target is None else _probabilities(shown.frame, target, above_zero=False)
    return ServingLog(_log(shown.frame), found, counts)


def _check_type(types: pl.Series, event: str) -> None:
    """Raise InteractionsError where no event is of the type that counts, so that every reward would be 0."""
    if not (types == event).any():
        there = ", ".join(sorted(map(str, types.drop_nulls().unique()))[:10]) or "none at all"
        raise InteractionsError(
            f"events: column 'type': no event is of type {brief(event)}, which counts here; the types there "
            f"are {there}"
        )


def _log(frame: pl.DataFrame) -> Logged:
    if not frame.height:
        raise InteractionsError("exposures: no list of a known user holds an item; nothing can be estimated")
    users, user_ids = codes(frame["user_id"])
    actions, items = codes(frame["item_id"])
    return Logged(
        users,
        frame["list"].to_numpy().astype(np.int64),
        frame["position"].to_numpy().astype(np.int64),
        actions,
        frame["reward"].to_numpy().astype(np.float64),
        _probabilities(frame, "propensities", above_zero=True),
        user_ids,
        items,
    )


def _probabilities(frame: pl.DataFrame, name: str, above_zero: bool) -> Float64:
    if not frame[name].dtype.is_numeric():
        raise InteractionsError(f"exposures: column {name!r} holds no numbers; give a probability an item")
    values = frame[name].cast(pl.Float64)
    bad = ~(((values > 0) | ((values == 0) & (not above_zero))) & (values <= 1)).fill_null(False)
    if bad.any():
        value = values[int(bad.arg_max() or 0)]
        kind = "probability above 0" if above_zero else "probability"
        raise InteractionsError(f"exposures: column {name!r}: {value} is no {kind}; drop these lists")
    return values.to_numpy().astype(np.float64)


def _read(folder: Path, name: str, columns: tuple[str, ...]) -> pl.DataFrame:
    files = sorted({*folder.glob(f"{name}*.parquet"), *folder.glob(f"{name}/**/*.parquet")})
    if not files:
        raise InteractionsError(
            f"{shown_path(folder)}: holds no {name}*.parquet; export the tables of the server into one folder"
        )
    frames = [read_file(file, InteractionsError, columns)[0] for file in files]
    known = [frame.select([each for each in columns if each in frame.columns]) for frame in frames]
    return pl.concat(known, how="diagonal_relaxed")
