"""What serving keeps: items, events, users' histories, exposures and model swaps, in SQLite or PostgreSQL.

database        Database: every read and write, each a short transaction
quick_reads     the two reads that come before every answer
tables          the tables
waiting         how long one waits for a server that does not answer, and who asks it meanwhile
connections     opening a URL; transactions; what goes wrong, in words
migrations/     the steps from one form of the tables to the next (Alembic)
form            which form the tables have
migrating       brings the tables to their newest form, under a lock
stored_ids      ids of users and items as the tables hold them: 1 and "1" are two
events          an event, as it is given and as it is kept; what became of a batch
experiments     plans, and the arms in which users were shown something
stored_items    an item, as it is given and as it is kept
exposures       what was shown
export          events, arms, lists and swaps as Parquet files
exported_rows   their columns
"""

from importlib.util import find_spec

from isotherm.errors import MissingPackageError

if any(find_spec(package) is None for package in ("sqlalchemy", "alembic")):
    raise MissingPackageError("the serving database needs sqlalchemy: pip install 'isotherm[serve]'")

from isotherm.serving.database.database import Database, History, ItemChanges, ModelSwap, OnAir
from isotherm.serving.database.events import Event, EventCounts
from isotherm.serving.database.experiments import Assigned, ExperimentTables
from isotherm.serving.database.exposures import Chances, Exposure
from isotherm.serving.database.stored_items import StoredItem

__all__ = [
    "Assigned",
    "Chances",
    "Database",
    "Event",
    "EventCounts",
    "ExperimentTables",
    "Exposure",
    "History",
    "ItemChanges",
    "ModelSwap",
    "OnAir",
    "StoredItem",
]
