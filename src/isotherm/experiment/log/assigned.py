"""The users of an experiment: arm and time of their first exposure, numbered in the order of ids."""

from isotherm.data.wording import listed
from isotherm.experiment.log.columns import Reader, quoted
from isotherm.experiment.log.window import BEFORE_1900, EARLIEST, LATEST, TOO_LATE, Window

_ARMS = 1024  # more than there can be
_VERSIONS = 2**31 - 1  # of weights, the most
CHOSEN = "override"  #: reason of an assignment by hand


def make_assigned(reader: Reader, window: Window) -> dict[str, int]:
    """Make the table assigned (u, user_id, arm, first, several, weights). Returns counts of rows and users.

    u: 0, 1, … in the order of ids.  arm: that of the first exposure (of two at one time, the earlier in
    ``window.arms``).  several: whether there are exposures by more than one arm.  weights: version of those
    that drew the arm, null where it is not known. Assignments outside the window count for nothing. Users put
    into an arm by hand (reason ``override``) were not drawn, and are left out.
    Raises EventLogError for arms that are not the experiment's, and for missing values.
    """
    table = reader.log.assignments
    ours, arms = f"experiment = {quoted(window.name)}", arm_names(window)
    _check(reader, window, ours)
    reason = f"coalesce(reason = '{CHOSEN}', false)" if table.kinds.get("reason") == "text" else "false"
    weights = "weights" if table.holds("weights") else "NULL"
    time, (start, end) = reader.time(table), window.span
    given = (
        f"CREATE TABLE given AS SELECT {reader.id('user', table, 'user_id')} AS user_id, "
        f"(list_position({arms}, arm) - 1)::INTEGER AS arm, {time} AS time, {reason} AS chosen, "
        f"{weights}::INTEGER AS weights, "
        f"{time} >= {start} AND {time} < {end} AS inside FROM {{table}} WHERE {ours}"
    )
    reader.run(reader.of_files(table, given))
    reader.run(
        "CREATE TABLE assigned AS SELECT (row_number() OVER (ORDER BY user_id) - 1)::INTEGER AS u, * FROM ("
        # time and arm in one number: of two exposures at one time the earlier arm is the first
        f"SELECT user_id, (min(time * {_ARMS} + arm) FILTER (inside) & {_ARMS - 1})::INTEGER AS arm, "
        "min(time) FILTER (inside) AS first, "
        "min(arm) FILTER (inside) <> max(arm) FILTER (inside) AS several, "
        "min(weights) FILTER (inside) AS weights "
        "FROM given GROUP BY user_id HAVING bool_or(inside) AND NOT bool_or(chosen))"
    )
    counted = reader.row(
        "SELECT count(*), count(*) FILTER (NOT inside), count(DISTINCT user_id) FILTER (chosen) FROM given"
    )
    return dict(zip(("assignments", "assignments_outside", "overridden"), counted, strict=True))


def arm_names(window: Window) -> str:
    """The names of the arms as a list in SQL."""
    return "[" + ", ".join(quoted(arm) for arm in window.arms) + "]"


def _check(reader: Reader, window: Window, ours: str) -> None:
    """Raise EventLogError where a row of the experiment lacks a value, or names an arm that it has not."""
    null = " where there must be one; drop or fill such rows"
    no_arm = f" is no arm of {window.name}; its arms are {listed(window.arms)}"
    table = reader.log.assignments
    faults = {
        f"{ours} AND user_id IS NULL": ("user_id", null),
        f"{ours} AND timestamp IS NULL": ("timestamp", null),
        f"{ours} AND {reader.time(table)} < {EARLIEST}": ("timestamp", BEFORE_1900),
        f"{ours} AND {reader.time(table)} > {LATEST}": ("timestamp", TOO_LATE),
        f"{ours} AND (arm IS NULL OR NOT list_contains({arm_names(window)}, arm))": ("arm", no_arm),
    }
    if table.holds("weights"):
        no_version = " is no number of times that weights were set; count them from 0, or leave it empty"
        known = (
            f"isfinite(weights::DOUBLE) AND weights BETWEEN 0 AND {_VERSIONS} AND weights = round(weights)"
        )
        faults[f"{ours} AND NOT coalesce({known}, true)"] = ("weights", no_version)
    reader.refuse_rows(table, faults)
