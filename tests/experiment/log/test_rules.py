import json

import pytest

from isotherm.errors import ParameterError
from isotherm.experiment.log import Rules


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("click_hours", 0),
        ("one_click_an_impression", 1),
        ("impressions", "views"),
        ("late_hours", -1),
        ("future_seconds", float("nan")),
        ("before_days", 0),
        ("bot_impressions_a_day", 0),
        ("bot_clicks_a_minute", 1.5),
        ("bot_click_through", 0),
        ("bot_least_impressions", 0),
        ("cap_quantile", 1.1),
        ("capped", ("cold_clicks",)),
    ],
)
def test_what_is_no_rule_is_refused(setting, value):
    with pytest.raises(ParameterError, match=setting):
        Rules(**{setting: value})


def test_rules_are_told_as_json():
    told = json.loads(json.dumps(Rules(before_days=7).as_dict()))
    assert Rules(**told | {"capped": tuple(told["capped"])}) == Rules(before_days=7)
