"""Numbers as the pages write them."""

import pytest

from isotherm.evaluation.bootstrap import Interval
from isotherm.report.tables import interval, number


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [(0.25, ".1%", "25.0%"), (-0.25, ".1%", "−25.0%"), (2e-5, ".1e", "2.0e-05"), (1234, ",", "1,234"),
     (-0.00001, ".2f", "−0.00"), (None, ".3f", ""), (0.5, "+.2f", "+0.50"), (-0.5, "+.2f", "−0.50")],
)  # fmt: skip
def test_numbers_have_a_real_minus_sign(value, form, text):
    assert number(value, form) == text


def test_an_interval_is_its_mean_with_both_ends():
    assert interval(Interval(-0.5, -1, 0.25), ".2f") == "−0.50 [−1.00, 0.25]"
