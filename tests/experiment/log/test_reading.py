import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isotherm.experiment.log import MEASURES, EventLog, Rules, Window, read_users
from tests.experiment.log.logs import assignment, event, exposure, write
from tests.reference import event_log

pytest.importorskip("duckdb")

HOURS = [*range(7)] * 5 + [-60, -20, 20, 26, 50, 90]
DELAYS = [0.0, 0.0, 0.0, 0.01, 1.0, 30.0, -0.01, -5.0]
TYPES = ("impression", "impression", "click", "click", "watch", "conversion", "dislike")


@st.composite
def logs(draw):
    """Events, assignments and lists of a few users and items, with every fault that a log may have."""
    # a seed, since what hypothesis draws one by one is too uniform for clicks to meet impressions
    pick = random.Random(draw(st.integers(0, 2**32 - 1)))
    types = pick.choice([TYPES, TYPES, TYPES[2:]])
    events = [
        event(
            pick.randint(1, 60),
            pick.randint(1, 4),
            pick.choice(types),
            pick.choice(HOURS),
            pick.randint(1, 2),
            pick.choice([None, 0.0, 1.5, 1000.0]),
            pick.choice(DELAYS),
        )
        for _ in range(pick.choice([0, 5, 60, 60, 60]))
    ]
    assignments = [
        assignment(
            pick.randint(1, 3),
            pick.choice("aaaab"),
            pick.choice([-10, 0, 0, 2, 60]),
            pick.choice(["hash"] * 19 + ["override", None]),
            pick.choice("xxxy"),
        )
        for _ in range(pick.choice([0, 2, 4, 4]))
    ]
    return events, assignments, pick.choice([None, _lists(pick)])


def _lists(pick):
    """Lists at different moments."""
    rows = []
    for hour in pick.sample(range(-60, 90), 8) + pick.sample(range(7), 4):
        items = pick.sample([1, 2, 3], pick.randint(0, 3))
        cold = [pick.random() < 0.5 for _ in items]
        user = pick.choice([None, 1, 1, 2, 3, 4])
        where = (pick.choice("ab"), pick.choice("xxxy"))
        rows.append(exposure(pick.randint(1, 20), user, hour + pick.random() / 2, items, cold, *where))
    return rows


@st.composite
def windows(draw):
    start = draw(st.sampled_from([None, 0.0, 7 * 3600.0, -30 * 3600.0]))
    return Window("x", ("a", "b"), start, draw(st.sampled_from([None, 80 * 3600.0])))


RULES = st.builds(
    Rules,
    click_hours=st.sampled_from([1.0, 24.0]),
    one_click_an_impression=st.booleans(),
    before_days=st.sampled_from([None, 1]),
    bot_impressions_a_day=st.sampled_from([2, 100]),
    bot_clicks_a_minute=st.sampled_from([1, 30]),
    bot_click_through=st.sampled_from([0.5, 0.9]),
    bot_least_impressions=st.sampled_from([1, 100]),
    cap_quantile=st.sampled_from([0.5, 0.99]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(log=logs(), window=windows(), rules=RULES)
def test_the_pass_equals_the_literal_reading(log, window, rules):
    events, assignments, exposures = log
    with tempfile.TemporaryDirectory() as folder:
        users = read_users(EventLog.of_folder(write(Path(folder), *log)), window, rules)
    expected = event_log.read(events, assignments, exposures, window, rules)
    compare(users, expected, rules)


def compare(users, expected, rules):
    table = expected["users"]
    assert users.ids.to_list() == list(table)
    assert users.days == expected["days"]
    for name in (*MEASURES, "arm", "bot", "several_arms"):
        np.testing.assert_allclose(
            getattr(users, name), [user[name] for user in table.values()], err_msg=name
        )
    np.testing.assert_array_equal(users.first, [user["first_day"] for user in table.values()])
    kept = event_log.kept_users(table).values()
    above = np.zeros(len(table), dtype=bool)
    for name in rules.capped:
        positive = [user[name] for user in kept if user[name] > 0]
        if positive:
            assert users.caps[name] == pytest.approx(np.quantile(positive, rules.cap_quantile))
            above |= np.array([user[name] > users.caps[name] for user in table.values()])
        else:
            assert name not in users.caps
    np.testing.assert_array_equal(users.outlier, above)
    for name, (n, sums, products) in expected["daily"].items():
        moments = getattr(users.daily, name)
        np.testing.assert_array_equal(moments.n, n, err_msg=name)
        np.testing.assert_allclose(moments.sums, sums, err_msg=name, atol=1e-6)
        np.testing.assert_allclose(moments.products, products, err_msg=name, atol=1e-6)
    assert users.items.ids.to_list() == sorted(expected["items"])
    for place, item in enumerate(users.items.ids):
        of = users.items
        told = [of.impressions[place], of.clicks[place], of.cold_impressions[place], of.cold_clicks[place]]
        np.testing.assert_array_equal(told, expected["items"][item])
    counts = users.counts.as_dict()
    for name, number in expected["counts"].items():
        assert counts[name] == number, name
    for rule in ("by_impressions", "by_clicks", "by_click_through"):
        assert counts[f"bots_{rule}"] == sum(user["by_rule"][rule] for user in table.values())
