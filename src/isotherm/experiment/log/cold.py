"""Which impressions were of cold items: as their own column says, or as the lists of their arm say."""

from isotherm.experiment.log.assigned import arm_names
from isotherm.experiment.log.columns import Reader, quoted
from isotherm.experiment.log.sources import Table
from isotherm.experiment.log.window import Window


def make_cold_items(reader: Reader, window: Window) -> None:
    """Make the table cold_items (arm, item, warm_from): items that lists of an arm called cold.

    warm_from: when a list of the arm first called the item warm after the last that called it cold; null
    where none did. An impression is of a cold item where it came before that. The table is empty without
    lists, and where they do not say which items are cold.
    """
    table = reader.log.exposures
    item = "BIGINT" if reader.id_kinds["item"] == "integer" else "VARCHAR"
    reader.run(f"CREATE TABLE cold_items (arm INTEGER, item {item}, warm_from BIGINT)")
    if table is None or not table.holds("cold"):
        return
    arms = arm_names(window)
    listed = (
        f"(SELECT list_position({arms}, arm) - 1 AS arm, {reader.time(table)} AS time, item, cold "
        f"FROM {places(reader, table, 'arm, experiment, timestamp')} "
        f"WHERE experiment = {quoted(window.name)} AND list_contains({arms}, arm))"
    )
    last = (
        "CREATE TABLE last_cold AS SELECT arm, item, max(time) AS last_cold "
        f"FROM {listed} WHERE cold GROUP BY arm, item"
    )
    warm = (
        "INSERT INTO cold_items SELECT arm, item, min(time) FILTER (NOT cold AND time > last_cold) "
        f"FROM {listed} JOIN last_cold USING (arm, item) GROUP BY arm, item"
    )
    for statement in (last, warm):
        reader.run(reader.of_files(table, statement))


def places(reader: Reader, table: Table, columns: str) -> str:
    """Each place of each list, in SQL: some columns of the list, its item, and whether that was cold."""
    flags = {"list of flag": "cold[place]", "list of integer": "list_contains(cold, place)"}
    cold = flags.get(table.kinds.get("cold", ""), "false")
    item = reader.id("item", table, "items", "items[place]")
    return (
        f"(SELECT {columns}, {item} AS item, coalesce({cold}, false) AS cold "
        f"FROM (SELECT *, unnest(range(1, len(items) + 1)) AS place FROM {{table}}) "
        "WHERE items[place] IS NOT NULL)"
    )
