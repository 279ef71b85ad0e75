"""``python -m isotherm`` is the command line."""

from isotherm.cli.main import run

run()
