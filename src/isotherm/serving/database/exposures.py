"""What was shown: one row for each list."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from isotherm.errors import ParameterError
from isotherm.serving.database.moments import microseconds, moment, now
from isotherm.serving.database.stored_ids import Id, check_text, given_id, stored_id

_LONGEST_NAME = 1_000  # bytes of a model's name


@dataclass(frozen=True)
class Chances:
    """What a list is worth to experiments.

    arms: pairs of an experiment and the arm that the user is in.
    propensities: of each item, the probability with which it came to its rank, given the items before; None
    where nothing was drawn.  teams: of each item, 0 for the first arm's, 1 for the second's, -1 for nobody's;
    None where nothing was interleaved.
    """

    arms: Sequence[tuple[str, str]] = ()
    propensities: Sequence[float] | None = None
    teams: Sequence[int] | None = None


@dataclass(frozen=True)
class Exposure:
    """A list that was shown.

    request: which list.  user: None for a history without a user.  items: ids in the order of the list.
    cold: ranks of its new items, from 1.  model: its name.  time: when it was shown.  chances: what an
    experiment must know of it.
    """

    request: str
    user: Id | None
    items: Sequence[Id]
    cold: Sequence[int]
    model: str
    time: datetime = field(default_factory=now)
    chances: Chances = Chances()


def exposure_row(shown: Exposure) -> Mapping[str, Any]:
    """The row of a list. Raises ParameterError for what cannot be kept."""
    check_text("model", shown.model, _LONGEST_NAME)
    if not set(shown.cold) <= set(range(1, len(shown.items) + 1)):
        raise ParameterError(
            f"cold: {list(shown.cold)} are no ranks of {len(shown.items)} items; count from 1"
        )
    return {
        "request": stored_id("request", shown.request),
        "user": None if shown.user is None else stored_id("user", shown.user),
        "items": json.dumps([stored_id("item", item) for item in shown.items]),
        "cold": json.dumps(list(shown.cold)),
        "model": shown.model,
        "time": microseconds("time", shown.time),
        "experiments": json.dumps(list(shown.chances.arms)) if shown.chances.arms else None,
        **{name: _of_items(name, getattr(shown.chances, name), shown) for name in ("propensities", "teams")},
    }


def _of_items(name: str, given: Sequence[float] | None, shown: Exposure) -> str | None:
    """A number for each item, as JSON; None where there are none."""
    if given is not None and len(given) != len(shown.items):
        raise ParameterError(f"{name}: {len(given)} of {len(shown.items)} items; give one for each")
    return None if given is None else json.dumps(list(given))


def exposure_of(row: Any) -> Exposure:
    """The list of a row."""
    return Exposure(
        row.request[1:],
        None if row.user is None else given_id(row.user),
        [given_id(item) for item in json.loads(row.items)],
        json.loads(row.cold),
        row.model,
        moment(row.time),
        chances_of(row),
    )


def chances_of(row: Any) -> Chances:
    """Those of a row."""
    arms = tuple((experiment, arm) for experiment, arm in json.loads(row.experiments or "[]"))
    drawn = (None if told is None else json.loads(told) for told in (row.propensities, row.teams))
    return Chances(arms, *drawn)
