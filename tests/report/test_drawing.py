"""Charts are drawn where a process has no home directory, as in a container of a user without a name."""

import os
import subprocess
import sys

CODE = """
import os, pathlib

def home(cls):
    if "HOME" not in os.environ:
        raise RuntimeError("Could not determine home directory.")
    return pathlib.Path(os.environ["HOME"])

pathlib.Path.home = classmethod(home)
import polars as pl
from isotherm.report.drawing import alt
from isotherm.report.figures import inline, svg

chart = alt.Chart(inline(pl.DataFrame({"x": [1, 2], "y": [3, 4]}))).mark_bar().encode(x="x:Q", y="y:Q")
print(svg(chart)[:4], "HOME" in os.environ)
"""


def test_a_chart_is_drawn_without_a_home_directory():
    bare = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")}
    told = subprocess.run([sys.executable, "-c", CODE], env=bare, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert told.stdout.split() == ["<svg", "False"]
