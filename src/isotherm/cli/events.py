"""isotherm events: export"""

from pathlib import Path
from typing import Annotated

import typer

from isotherm.cli import options as o
from isotherm.errors import shown_path

events = typer.Typer(help="Events of the serving database: export.", no_args_is_help=True)


@events.command()
def export(
    out: Annotated[Path, typer.Option(help="Folder for the Parquet files.")],
    db: o.DatabaseURL = None,
    db_file: o.DatabaseFile = None,
    quiet: o.Quiet = False,
) -> None:
    """Write the events of a serving database to Parquet files, for analysis; and what experiments log.

    Only rows that the folder does not hold yet are written, so an export that was cut off goes on, and one
    that is run every night adds a file. Events are in the folder itself: event_id, user_id, item_id, type,
    timestamp, received, value, late, future. In folders of their names below it are assignments (who is in
    which arm since when), exposures (each list: items, arm, propensities, teams) and model_swaps.

    Example: isotherm events export --db sqlite:///live.db --out events
    """
    from isotherm.data.wording import counted
    from isotherm.serving.database import Database

    o.begin(quiet)
    with Database.open(o.database_url(db, db_file), create=False) as database:
        n = database.export_events(out)
    o.note(f"{counted(n, 'event')} written to {shown_path(out)}", quiet)
