"""isotherm refit"""

from pathlib import Path
from typing import Annotated

import typer

from isotherm.cli import options as o
from isotherm.cli.outputs import OutputFolder, check_outputs, saved_model
from isotherm.folders import MODEL


def refit(
    model: o.ModelFolder,
    out: Annotated[Path, typer.Option(help="Folder for the next model.")],
    items: Annotated[
        Path | None,
        typer.Option(
            help="Item table that the model was fitted with, for items that the database does not describe."
        ),
    ] = None,
    db: o.DatabaseURL = None,
    db_file: o.DatabaseFile = None,
    quiet: o.Quiet = False,
) -> None:
    """Make the next model from a saved one and the serving database: every night, beside the one on the air.

    It learns from the log of the saved model and the clicks of the database, without pairs that were disliked
    since and without deleted items, and from the items that the database describes.

    Example: isotherm refit --db sqlite:///live.db --model model --out next-model
    """

    from isotherm.data import Items
    from isotherm.models.persistence import load
    from isotherm.serving.database import Database
    from isotherm.serving.refit import fields_of, next_data

    check_outputs({"--model": saved_model(model), "--items": items}, OutputFolder("--out", out, MODEL))
    o.begin(quiet)
    fitted = load(model)
    with Database.open(o.database_url(db, db_file), create=False) as database:
        table = None if items is None else Items.read(items, like=fields_of(fitted))
        data = next_data(fitted, database, table)
    told = ", ".join(f"{n:,} {what.replace('_', ' ')}" for what, n in data.notes.items() if n)
    o.note(f"{data.clicks!r}; {told or 'nothing new'}", quiet)
    fitted.refit(data.clicks, data.items)
    fitted.save(out)
    o.note(f"{fitted!r}\nsaved to {out}", quiet)
