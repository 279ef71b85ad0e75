"""The catalogue: the items of the clicks, then those that only the item table holds, then added ones."""

from isotherm.data import IdMap, Interactions, Items
from isotherm.data.wording import listed
from isotherm.errors import ItemsError


def over_catalogue(clicks: Interactions, items: Items) -> tuple[Interactions, Items]:
    """Clicks over all items of both, and the item table in the order of their columns.

    Raises ItemsError where a clicked item has no row in the table.
    """
    items.of(clicks.items)
    catalogue = clicks.items.union(items.ids)
    return clicks.among(clicks.users, catalogue), items.of(catalogue)


def extended_catalogue(catalogue: IdMap, items: Items) -> IdMap:
    """The catalogue and then the new items. Raises ItemsError for items that it holds already."""
    twice = catalogue.known(items.ids.values).to_list()
    if twice:
        raise ItemsError(f"the model knows {len(twice)} of these items already: {listed(twice)}")
    return catalogue.appended(items.ids)
