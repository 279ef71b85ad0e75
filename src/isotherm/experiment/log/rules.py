"""The rules by which a log is read, each of them a setting that a report tells."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from isotherm.checks import above, at_least, between, one_of, truth, whole

_MOST_DAYS = 36_500


@dataclass(frozen=True)
class Rules:
    """How events count, and who is flagged. All have a default. Raises ParameterError."""

    click_hours: float = (
        24.0  #: a click counts for the last impression of its item within so many hours before
    )
    one_click_an_impression: bool = True  #: whether clicks on an impression after its first are passed over
    #: what an impression is: an event of that type, or an item of a list; auto: events where there are any
    impressions: Literal["auto", "events", "lists"] = "auto"
    late_hours: float = (
        24.0  #: received more than this after its time, an event is late; it counts all the same
    )
    future_seconds: float = 300.0  #: dated further ahead of receipt, an event counts at the time of receipt
    before_days: int | None = None  #: covariates are of so many days before the first exposure; None: all
    bot_impressions_a_day: int = 3_000  #: more of them on a day (UTC) make a bot
    bot_clicks_a_minute: int = 30  #: more of them within a minute of the clock make a bot
    bot_click_through: float = (
        0.9  #: clicked share of impressions that makes a bot, given so many impressions:
    )
    bot_least_impressions: int = 100
    capped: tuple[str, ...] = ("impressions", "clicks", "watch_seconds")  #: columns that have a cap
    cap_quantile: float = 0.99  #: a cap is this quantile over users, of all arms, above zero and not flagged

    def __post_init__(self) -> None:
        above("click_hours", self.click_hours, 0)
        truth("one_click_an_impression", self.one_click_an_impression)
        one_of("impressions", self.impressions, ("auto", "events", "lists"))
        at_least("late_hours", self.late_hours, 0)
        at_least("future_seconds", self.future_seconds, 0)
        if self.before_days is not None:
            whole("before_days", self.before_days, 1, _MOST_DAYS)
        whole("bot_impressions_a_day", self.bot_impressions_a_day, 1)
        whole("bot_clicks_a_minute", self.bot_clicks_a_minute, 1)
        between("bot_click_through", self.bot_click_through, 0, 1, "(]")
        whole("bot_least_impressions", self.bot_least_impressions, 1)
        between("cap_quantile", self.cap_quantile, 0, 1, "(]")
        for name in self.capped:
            one_of("capped", name, ("impressions", "clicks", "watch_seconds", "conversions"))

    def as_dict(self) -> dict[str, Any]:
        """Name -> value, as plain JSON."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        return plain | {"capped": list(self.capped)}
