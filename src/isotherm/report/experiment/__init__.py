"""The page of an experiment: the verdict, what it stands on, and in the demo the truth beside it.

page      the page
tables    its tables, from a Result
figures   effects of all metrics, day by day, since the first exposure, by group
labels    words that figures and tables share

The words are in templates/experiment/, one file a section.
"""

from isotherm.report.experiment.page import ExperimentReport, KnownTruth

__all__ = ["ExperimentReport", "KnownTruth"]
