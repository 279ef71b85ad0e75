"""isotherm experiment: one file for each of its commands, experiment_NAME.py"""

import typer

from isotherm.cli.experiment_analyze import analyze
from isotherm.cli.experiment_demo import demo
from isotherm.cli.experiment_design import design
from isotherm.cli.experiment_offpolicy import offpolicy

experiment = typer.Typer(
    help="Online experiments: plan one, and learn whether it helped and by how much.", no_args_is_help=True
)


@experiment.callback()
def _experiment() -> None:
    """Online experiments: plan one, and learn whether it helped and by how much."""


for command in (design, analyze, offpolicy, demo):
    experiment.command()(command)
