"""isotherm fit"""

import inspect
from pathlib import Path
from typing import Annotated

import typer

from isotherm.cli import options as o
from isotherm.errors import ParameterError


def fit(
    interactions: o.InteractionsFile = None,
    items: o.ItemsFile = None,
    model: Annotated[str, typer.Option(help="Registry name of the model.")] = "marec",
    settings: o.Setting = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the fitted model.")] = None,
    help_model: Annotated[bool, typer.Option("--help-model", help="Show the model's settings.")] = False,
    kinds: o.Kinds = None,
    user_column: o.UserColumn = "user_id",
    item_column: o.ItemColumn = "item_id",
    rating_column: o.RatingColumn = "rating",
    timestamp_column: o.TimestampColumn = "timestamp",
    weight_column: o.WeightColumn = "weight",
    min_rating: o.MinRating = None,
    quiet: o.Quiet = False,
) -> None:
    """Fit a model on clicks (and item metadata) and save it.

    Example: isotherm fit --interactions clicks.parquet --items items.parquet --model marec
    --set backbone.l2=500 --out model
    """
    from isotherm.models.parameters import build, parse_settings
    from isotherm.models.registry import model_class

    wanted = model_class(model)
    if help_model:
        typer.echo(described(wanted))
        return
    if interactions is None or out is None:
        raise ParameterError("fit needs --interactions and --out")
    if out.exists() and not out.is_dir():
        raise ParameterError(f"{out}: is a file; a model is saved to a folder")
    made = build(wanted, parse_settings(settings or []))
    o.begin(quiet)
    names = o.columns(user_column, item_column, rating_column, timestamp_column, weight_column)
    clicks = o.read_clicks(interactions, names, min_rating, quiet)
    made.fit(clicks, o.read_items(items, item_column, kinds, quiet))
    made.save(out)
    o.note(f"{made!r}\nsaved to {out}", quiet)


def described(wanted: type) -> str:
    """A model's documentation and its settings with their defaults, dotted ones too."""
    lines = [inspect.cleandoc(wanted.__doc__ or ""), "", "settings (--set name=value):"]
    lines += [f"  {name} = {default!r}" for name, default in _settings(wanted, "")]
    return "\n".join(lines)


def _settings(wanted: type, prefix: str) -> list[tuple[str, object]]:
    from isotherm.models.parameters import hyperparameters

    found: list[tuple[str, object]] = []
    for name, default in hyperparameters(wanted()).items():
        if hasattr(type(default), "name"):
            found += _settings(type(default), f"{prefix}{name}.")
        else:
            found.append((prefix + name, default))
    return found
