"""What came in: clicks, items, and ways to split them."""

from isotherm.data.columns import Columns
from isotherm.data.hidden_clicks import Split
from isotherm.data.ids import IdMap
from isotherm.data.interactions import Interactions
from isotherm.data.items import Items
from isotherm.data.splits import SPLITS

__all__ = ["SPLITS", "Columns", "IdMap", "Interactions", "Items", "Split"]
