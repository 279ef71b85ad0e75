"""Tables and figures -> one self-contained HTML file."""

from isotherm.report.examples import ExampleUser, example_users
from isotherm.report.page import RampReport, Report

__all__ = ["ExampleUser", "RampReport", "Report", "example_users"]
