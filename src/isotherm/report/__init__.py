"""Tables and figures -> one self-contained HTML file.

page                what every page is: no script, no network
evaluation_report   the page of an evaluation; its figures in evaluation_figures, its users in examples
ramp_report         the page of new items after their first clicks
geometry/           the page of a study of VAEs
sweep/              the page of a sweep
templates/          the words of the pages
figures             colours and style of all figures
tables              tables, and numbers as they read there
"""

from isotherm.report.evaluation_report import Report
from isotherm.report.examples import ExampleUser, example_users
from isotherm.report.ramp_report import RampReport

__all__ = ["ExampleUser", "RampReport", "Report", "example_users"]
