"""Which user is in which arm: a pure function of the plan, the user's id and what was kept of him.

buckets    a salted hash of an id as a number in [0, 1)
placing    hold-out, layer, ramp, arm, testers, who is in already
"""

from isotherm.experiment.assignment.buckets import bucket
from isotherm.experiment.assignment.placing import Placement, place, placements

__all__ = ["Placement", "bucket", "place", "placements"]
