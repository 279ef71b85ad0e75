"""The event log of an experiment: Parquet files of any size in, one row for each exposed user out.

users        what is known of each user: arm, clicks, impressions, watch seconds, the time before, flags
daily        moments of the same columns day by day, for peeking and for what wears off
items        what was shown and clicked of each item, by arm
counts       what the log held: repeated, late, future-dated events, users in several arms, bots
window       which experiment, and from when to when
rules        how events count and who is flagged: each a setting
sources      the Parquet files, and what their columns must be
reading      read_users: the whole pass, in DuckDB and out of core
workspace    DuckDB within bounds: memory, threads, files; no network, no extensions
columns      ids and times of the files in SQL; which row a fault is in
assigned     users, their arms and first exposures
repeats      which ids of events occur more than once
cold         when an item of an arm was cold
event_table  all events in one narrow table
clicks       which clicks count for which impressions
user_days    what each user did on each day, a block of users at a time
moments      sums over users by day and arm
bots         users who are no persons
item_sums    sums of items
counting     counts of events
"""

from isotherm.experiment.log.counts import Counts
from isotherm.experiment.log.daily import Daily, Moments
from isotherm.experiment.log.items import ItemSums
from isotherm.experiment.log.reading import read_users
from isotherm.experiment.log.rules import Rules
from isotherm.experiment.log.sources import EventLog
from isotherm.experiment.log.users import GROUPS, MEASURES, Users, group_of
from isotherm.experiment.log.window import Window

__all__ = [
    "GROUPS",
    "MEASURES",
    "Counts",
    "Daily",
    "EventLog",
    "ItemSums",
    "Moments",
    "Rules",
    "Users",
    "Window",
    "group_of",
    "read_users",
]
