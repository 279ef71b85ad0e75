import numpy as np
import pytest

from isotherm.errors import EventLogError, ParameterError
from isotherm.experiment.design import site_users
from tests.experiment.log.logs import event, write

pytest.importorskip("duckdb")
DAY = 24.0  # hours


@pytest.fixture
def log(tmp_path):
    """Ten days: user 1 on all of them, user 2 on the first alone, user 3 on the last two."""
    rows = [(1, day) for day in range(10)] + [(2, 0), (3, 8), (3, 9)]
    events = [event(n, user, "impression", day * DAY + user) for n, (user, day) in enumerate(rows)]
    events += [event(100 + n, 1, "click", day * DAY + 2) for n, day in enumerate((0, 9))]
    return write(tmp_path, events, []) / "events.parquet"


def test_users_of_the_last_days_are_in_and_what_was_before_is_the_time_before(log):
    users = site_users(log, days=4)
    assert users.ids.to_list() == [1, 3]
    assert users.impressions.tolist() == [4, 2]
    assert users.before_impressions.tolist() == [6, 0]
    assert users.before_clicks.tolist() == [1, 0]
    assert users.days == 4
    assert users.daily.to_date.n[:, 0].tolist() == [1, 1, 2, 2]
    assert users.arms == ("site",)


def test_half_of_the_log_is_taken_where_nothing_is_said(log):
    assert site_users(log).days == 5


def test_events_of_the_future_do_not_move_the_end(tmp_path):
    events = [event(n, 1, "impression", n * DAY) for n in range(4)]
    events.append(event(9, 1, "impression", 500 * DAY, delay=-497 * DAY))
    users = site_users(write(tmp_path, events, []) / "events.parquet", days=2)
    assert users.days == 2
    assert users.impressions.sum() == 3


def test_more_days_than_there_are_and_empty_logs_are_refused(log, tmp_path):
    with pytest.raises(EventLogError, match="has 10 days, not 11"):
        site_users(log, days=11)
    with pytest.raises(ParameterError, match="days must be"):
        site_users(log, days=0)
    with pytest.raises(EventLogError, match="no event with a time"):
        site_users(write(tmp_path / "empty", [], []) / "events.parquet")
    assert np.isfinite(site_users(log).impressions).all()
