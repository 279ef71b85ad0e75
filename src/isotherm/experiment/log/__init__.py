"""The event log of an experiment: Parquet files of any size in, one row for each exposed user out.

users    what is known of each user: arm, clicks, impressions, watch seconds, the time before, flags
daily    moments of the same columns day by day, for peeking and for what wears off
items    what was shown and clicked of each item, by arm
counts   what the log held: repeated, late, future-dated events, users in several arms, bots
"""

from isotherm.experiment.log.counts import Counts
from isotherm.experiment.log.daily import Daily, Moments
from isotherm.experiment.log.items import ItemSums
from isotherm.experiment.log.users import GROUPS, MEASURES, Users, group_of

__all__ = ["GROUPS", "MEASURES", "Counts", "Daily", "ItemSums", "Moments", "Users", "group_of"]
