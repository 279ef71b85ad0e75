import pytest

from isotherm.errors import ParameterError
from isotherm.experiment.log import Window


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"arms": ()}, "arms must be different names"),
        ({"arms": ("a", "a")}, "arms must be different names"),
        ({"start": 2.0, "end": 2.0}, "the end of the experiment is not after its start"),
        ({"start": float("nan")}, "start must be seconds since 1970, not nan"),
        ({"end": 1e15}, "end must be seconds since 1970"),
    ],
)
def test_what_is_no_window_is_refused(settings, message):
    with pytest.raises(ParameterError, match=message):
        Window(**({"name": "x", "arms": ("a", "b")} | settings))


def test_a_span_is_in_microseconds():
    assert Window("x", ("a",), 1.5, 2.25).span == (1_500_000, 2_250_000)
    assert Window("x", ("a",)).span[0] < -(10**17) < 10**17 < Window("x", ("a",)).span[1]
