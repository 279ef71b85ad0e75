"""What came in: clicks, items, and ways to split them.

interactions   the click log: users × items CSR with its ids
columns        names of a log's columns; the rows of all its files
click_table    one row per user and item
stored         a log in a folder, larger than memory; id_files reads the ids, labels and times of such folders
items          the item table: fields of one kind each
kinds          categories, tags, text, number, vector, image; how a field is read
inference      which kind a column seems to be, the same from every format
joined_text    lists that are written as text, and words for no value
examples       an example of a field's values
item_labels    titles and values of the items of a fitted model, to answer in words
item_tables    the files of an item table put together
field_values   the values of a field, read as its kind
ids            ids <-> rows
splits         protocols that hide clicks: cold items, mixed, strong, leave-one-out
in_time        one cut in time, or several: what comes next, for returning and new users
moments        the times of a log as numbers; dates and durations in the same
existing       the items that were there by the end of a test period
folds          k-fold: every item or user hidden once
repeated       one protocol with several seeds
hidden_clicks  a split: what to train on, what is known, what is to be found
click_ranks    the rank of a click within its user's or its item's
wording        values and names in messages
reading/       files and frames as tables
datasets/      public data sets, one file each
"""

from isotherm.data.columns import Columns
from isotherm.data.hidden_clicks import Split
from isotherm.data.ids import IdMap
from isotherm.data.interactions import Interactions
from isotherm.data.items import Items
from isotherm.data.splits import SPLITS

__all__ = ["SPLITS", "Columns", "IdMap", "Interactions", "Items", "Split"]
