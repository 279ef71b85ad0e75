"""Tables and figures -> one self-contained HTML file."""

from isotherm.report.evaluation_report import Report
from isotherm.report.examples import ExampleUser, example_users
from isotherm.report.ramp_report import RampReport

__all__ = ["ExampleUser", "RampReport", "Report", "example_users"]
