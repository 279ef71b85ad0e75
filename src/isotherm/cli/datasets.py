"""isotherm datasets: list, get, info"""

from pathlib import Path
from typing import Annotated

import typer

from isotherm.cli import options as o
from isotherm.cli.outputs import OutputFolder, check_outputs
from isotherm.folders import DATASET
from isotherm.version import __version__

datasets = typer.Typer(help="Public data sets: list, get, info.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name of a data set.")]


@datasets.command("list")
def list_() -> None:
    """All data sets of the catalogue.

    Example: isotherm datasets list
    """
    from isotherm.data.datasets import CATALOGUE

    for d in CATALOGUE.values():
        typer.echo(f"{d.name}  {d.title}: {d.users:,} users, {d.items:,} items, {d.clicks:,} clicks")


@datasets.command()
def info(name: Name) -> None:
    """Counts, fields, licence and sources of a data set.

    Example: isotherm datasets info ml-100k
    """
    from isotherm.data.datasets import dataset

    d = dataset(name)
    rows = {
        "name": d.name,
        "title": d.title,
        "users": f"{d.users:,}",
        "items": f"{d.items:,}",
        "clicks": f"{d.clicks:,}",
        "fields": ", ".join(f"{field} ({kind})" for field, kind in d.kinds.items()),
        "licence": d.licence,
        "home": d.home,
        "cite": d.cite,
        "sources": "the cache folder; " + "; ".join(source.description for source in d.sources),
    }
    for label, value in rows.items():
        typer.echo(f"{label:8}  {value}")


@datasets.command()
def get(
    name: Name,
    out: Annotated[Path | None, typer.Option(help="Folder for the two tables; by default the name.")] = None,
    quiet: o.Quiet = False,
) -> None:
    """Fetch a data set and write interactions.parquet and items.parquet, to a folder without other files.

    Example: isotherm datasets get ml-100k --out data
    """
    from isotherm.data.datasets import dataset
    from isotherm.files import streamed
    from isotherm.folders import saving

    wanted = dataset(name)
    folder = Path(name) if out is None else out
    check_outputs({}, OutputFolder("--out", folder, DATASET))
    loaded = wanted.load()
    tables = {"interactions.parquet": loaded.clicks, "items.parquet": loaded.items}
    with saving(folder, DATASET) as save:
        files = {file: save.fixed(file, streamed(frame.write_parquet)) for file, frame in tables.items()}
        save.commit({"isotherm": __version__, "dataset": name, "files": files})
    o.note(f"{name}: from {loaded.origin}\nwritten to {folder}: interactions.parquet, items.parquet", quiet)
