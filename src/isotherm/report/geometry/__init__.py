"""The geometry page: a summary, and each figure with what it says and what to do.

page              the page and its summary
sharing_findings  numbers and verdicts: who helps whom, how far, and what theory promises
latent_findings   numbers and verdicts: masks, anchors, collapse, maps
labels            words that figures and tables share
figures           bars and curves
maps              users and anchors on a plane

The words are in templates/geometry/, one file a section.
"""

from isotherm.report.geometry.page import GeometryReport, summary

__all__ = ["GeometryReport", "summary"]
