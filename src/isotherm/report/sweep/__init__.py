"""The sweep's page: what β, masks and anchors trade against each other, and where to stand.

page      the page and its table of cells
findings  numbers and verdicts: the best cell, trade-offs, the grid
labels    words that figures, tables and sentences share
figures   marks, and maps of the grid

The words are in templates/sweep/, one file a section.
"""

from isotherm.report.sweep.page import SweepReport, table

__all__ = ["SweepReport", "table"]
