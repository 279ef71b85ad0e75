"""isotherm experiment: one file for each of its commands, experiment_NAME.py"""

import typer

from isotherm.cli.experiment_offpolicy import offpolicy

experiment = typer.Typer(
    help="Online experiments: plan one, and learn whether it helped and by how much.", no_args_is_help=True
)


@experiment.callback()
def _experiment() -> None:
    """Online experiments: plan one, and learn whether it helped and by how much."""


experiment.command()(offpolicy)
