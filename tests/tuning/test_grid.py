"""The grid of a sweep: its cells, and the settings that its axes stand for."""

import pytest

from isotherm.errors import ParameterError
from isotherm.tuning.grid import Grid, swept_settings

pytest.importorskip("torch")


def test_a_cell_is_a_point_of_the_grid():
    names = {"beta": "beta.cap", "keep": "mask.keep", "anchors": "anchors.weight"}
    cells = Grid(beta=[0.1, 0.25], anchors=[0, 1]).cells(names)
    assert list(cells) == [f"beta={beta},anchors={weight}" for beta in (0.1, 0.25) for weight in (0, 1)]
    assert cells["beta=0.25,anchors=1"] == {"beta.cap": 0.25, "anchors.weight": 1.0}
    assert Grid().cells(names) == {"model": {}}


@pytest.mark.parametrize(
    ("model", "settings", "names"),
    [
        ("multvae", {}, {"beta": "beta.cap", "keep": "mask.keep", "anchors": "anchors.weight"}),
        ("recvae", {}, {"beta": "beta.gamma", "keep": "mask.keep", "anchors": "anchors.weight"}),
        ("multdae", {}, {"keep": "mask.keep", "anchors": "anchors.weight"}),
        ("multvae", {"beta": "constant", "mask": "scheduled"},
         {"beta": "beta.value", "keep": "mask.end", "anchors": "anchors.weight"}),
        ("multvae", {"mask": "none"}, {"beta": "beta.cap", "anchors": "anchors.weight"}),
    ],
)  # fmt: skip
def test_an_axis_is_a_setting_of_the_model(model, settings, names):
    assert swept_settings(model, settings, Grid()) == names


@pytest.mark.parametrize(
    ("settings", "grid", "message"),
    [
        ({"mask.keep": 0.5}, Grid(keep=[0.5, 1]), r"mask\.keep is both set and swept \(--keep\)"),
        ({}, Grid(anchors=[1, 1.0]), "--anchors names a value twice"),
        ({"mask": "none"}, Grid(keep=[0.5]), "mask=none keeps everything"),
    ],
)
def test_what_cannot_be_swept_is_said(settings, grid, message):
    with pytest.raises(ParameterError, match=message):
        swept_settings("multvae", settings, grid)
