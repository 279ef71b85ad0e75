"""Which user is in which arm: a pure function of the plan, the user's id and what was kept of him.

buckets    a salted hash of an id as a number in [0, 1)
exploring  lists whose places are drawn, and with which probability
placing    hold-out, layer, ramp, arm, testers, who is in already
"""

from isotherm.experiment.assignment.buckets import bucket, seed
from isotherm.experiment.assignment.exploring import Drawn, explored
from isotherm.experiment.assignment.placing import Placement, place, placements

__all__ = ["Drawn", "Placement", "bucket", "explored", "place", "placements", "seed"]
