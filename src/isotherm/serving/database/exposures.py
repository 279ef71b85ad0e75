"""What was shown: one row for each item of a list."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from isotherm.serving.database.moments import microseconds
from isotherm.serving.database.stored_ids import Id, check_text, stored_id

_LONGEST_NAME = 1_000  # bytes of a request's or a model's name


@dataclass(frozen=True)
class Exposure:
    """One item of a list that was shown.  request: which list.  user: None for a history without a user."""

    request: str
    user: Id | None
    item: Id
    rank: int
    cold: bool
    model: str


def exposure_row(shown: Exposure, time: datetime) -> Mapping[str, Any]:
    """The row of an exposure. Raises ParameterError for what cannot be kept."""
    check_text("model", shown.model, _LONGEST_NAME)
    return {
        "request": stored_id("request", shown.request),
        "user": None if shown.user is None else stored_id("user", shown.user),
        "item": stored_id("item", shown.item),
        "rank": shown.rank,
        "cold": shown.cold,
        "model": shown.model,
        "time": microseconds("time", time),
    }
