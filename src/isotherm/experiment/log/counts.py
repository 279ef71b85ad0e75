"""How many events and users met each rule of reading a log."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Counts:
    """What a log held, and what became of it.

    Of the distinct events (``rows`` less ``repeated``), each is one of ``without_exposure``,
    ``before_exposure``, ``before_window``, ``after_end`` and ``measured``; what else is told of events cuts
    across these.
    """

    rows: int = 0  #: of the events, as they were read
    repeated: int = 0  #: events whose id came before; the one received first stays
    late: int = 0  #: received long after their time; they count at their time
    future: int = 0  #: dated after they were received; they count at the time they were received
    out_of_order: int = 0  #: of exposed users, received after a later event of the same user; alike
    other_types: int = 0  #: of types that no metric reads, such as dislike
    without_value: int = 0  #: watch events without seconds; they count as none
    without_exposure: int = 0  #: events of users whom the experiment never served, or who were put in by hand
    before_exposure: int = 0  #: events before their user's first exposure: covariates
    before_window: int = 0  #: events earlier than covariates are taken from
    after_end: int = 0  #: events after the end of the experiment
    measured: int = 0  #: events between the first exposure and the end, of flagged users, too
    unattributed_clicks: int = (
        0  #: measured clicks without an impression of the item within the window before
    )
    repeated_clicks: int = 0  #: measured clicks on an impression that was clicked before
    assignments: int = 0  #: rows of assignments of the experiment
    assignments_outside: int = 0  #: of them, those before its start or after its end
    overridden: int = 0  #: users put into an arm by hand; they are left out
    users: int = 0  #: exposed users
    several_arms: int = 0  #: of them, those in more than one arm
    bots: int = 0  #: of them, those that any rule of bots flags
    bots_by_impressions: int = 0  #: with too many impressions on a day
    bots_by_clicks: int = 0  #: with too many clicks within a minute
    bots_by_click_through: int = 0  #: that clicked nearly all of many impressions
    outliers: int = 0  #: users above a winsorising threshold

    def as_dict(self) -> dict[str, int]:
        """Name -> count, as plain JSON."""
        return asdict(self)
