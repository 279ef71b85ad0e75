"""The commands, one file each, under one name."""

import os
import sys
from typing import Annotated

import typer

from isotherm.cli.datasets import datasets
from isotherm.cli.demo import demo
from isotherm.cli.evaluate import evaluate
from isotherm.cli.events import events
from isotherm.cli.experiment import experiment
from isotherm.cli.explain import explain
from isotherm.cli.fit import fit
from isotherm.cli.geometry import geometry
from isotherm.cli.recommend import recommend
from isotherm.cli.refit import refit
from isotherm.cli.serve import serve
from isotherm.cli.similar import similar
from isotherm.cli.sweep import sweep
from isotherm.devices import device_setting
from isotherm.threads import thread_count
from isotherm.version import __version__

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as those of BLAS: our threads need the cores of torch's

app = typer.Typer(
    name="isotherm",
    help="Recommend brand-new items as well as well-known ones.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (demo, fit, recommend, similar, explain, evaluate, geometry, sweep, refit, serve):
    app.command()(command)
app.add_typer(datasets, name="datasets")
app.add_typer(events, name="events")
app.add_typer(experiment, name="experiment")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"isotherm {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Recommend brand-new items as well as well-known ones, from clicks and item metadata."""
    if "--help" not in sys.argv:
        thread_count()  # what is wrong with the environment is said before any work
        device_setting()
