"""isotherm fit"""

import inspect
from pathlib import Path
from typing import Annotated

import typer

from isotherm.cli import options as o
from isotherm.cli.outputs import OutputFolder, check_outputs, encoders
from isotherm.errors import ParameterError
from isotherm.folders import MODEL, RUN


def fit(
    interactions: o.InteractionsFile = None,
    items: o.ItemsFile = None,
    model: Annotated[str, typer.Option(help="Registry name of the model.")] = "marec",
    settings: o.Setting = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the fitted model.")] = None,
    valid: Annotated[
        Path | None, typer.Option(help="Clicks for early stopping, for models that train in steps.")
    ] = None,
    training_run: Annotated[
        Path | None,
        typer.Option("--run-dir", help="Folder for checkpoints and the log; a run that was cut off goes on."),
    ] = None,
    help_model: Annotated[bool, typer.Option("--help-model", help="Show the model's settings.")] = False,
    kinds: o.Kinds = None,
    user_column: o.UserColumn = "user_id",
    item_column: o.ItemColumn = "item_id",
    rating_column: o.RatingColumn = None,
    timestamp_column: o.TimestampColumn = None,
    weight_column: o.WeightColumn = None,
    min_rating: o.MinRating = None,
    quiet: o.Quiet = False,
) -> None:
    """Fit a model on clicks (and item metadata) and save it.

    Example: isotherm fit --interactions clicks.parquet --items items.parquet --model marec
    --set backbone.l2=500 --out model
    """
    from isotherm.launcher import launched
    from isotherm.models.fit_options import FitOptions, check_trains_in_steps
    from isotherm.models.parameters import build, parse_settings
    from isotherm.models.registry import model_class

    if help_model:
        typer.echo(described(model_class(model)))
        return
    if interactions is None or out is None:
        raise ParameterError("fit needs --interactions and --out")
    chosen = parse_settings(settings or [])
    inputs = {"--interactions": interactions, "--items": items, "--valid": valid}
    check_outputs(
        {**inputs, "--set": encoders(chosen)},
        OutputFolder("--out", out, MODEL),
        OutputFolder("--run-dir", training_run, RUN),
    )
    wanted = model_class(model)
    made = build(wanted, chosen)
    if valid or training_run:
        check_trains_in_steps(made)
    leads = not _trains_in_steps(made) or launched().rank == 0  # one of several processes speaks and saves
    quiet = quiet or not leads
    o.begin(quiet)
    names = o.columns(user_column, item_column, rating_column, timestamp_column, weight_column)
    clicks = o.read_clicks(interactions, names, min_rating, quiet)
    watched = None if valid is None else o.read_clicks(valid, names, min_rating, quiet)
    made.fit(clicks, o.read_items(items, item_column, kinds, quiet), FitOptions(watched, training_run))
    if leads:
        made.save(out)
    o.note(f"{made!r}\nsaved to {out}", quiet)


def _trains_in_steps(model: object) -> bool:
    """Whether the model, or one that it holds, trains in steps: only such work is shared among processes."""
    from isotherm.models.parameters import hyperparameters

    parts = [value for value in hyperparameters(model).values() if hasattr(type(value), "name")]
    return getattr(model, "trains_in_steps", False) or any(map(_trains_in_steps, parts))


def described(wanted: type) -> str:
    """A model's documentation and its settings with their defaults, dotted ones too, and its parts' words."""
    from isotherm.models.parameters import part_choices
    from isotherm.models.registry import REGISTRY

    lines = [inspect.cleandoc(wanted.__doc__ or ""), "", "settings (--set name=value):"]
    lines += [f"  {name} = {default!r}" for name, default in _settings(wanted, "")]
    for name, named in part_choices(wanted).items():
        if set(named) <= set(REGISTRY):
            lines += ["", f"{name}: {', '.join(named)}, with the settings of that model"]
            continue
        for choice in named.values():
            lines += ["", f"{name}={choice.name}:" if len(named) > 1 else f"{name}:"]
            lines += [f"  {line}" for line in inspect.cleandoc(choice.__doc__ or "").splitlines()]
    return "\n".join(lines)


def _settings(wanted: type, prefix: str) -> list[tuple[str, object]]:
    from isotherm.models.parameters import hyperparameters, part_choices
    from isotherm.models.registry import REGISTRY

    found: list[tuple[str, object]] = []
    choices = part_choices(wanted)
    for name, default in hyperparameters(wanted()).items():
        if not hasattr(type(default), "name"):
            found.append((prefix + name, default))
            continue
        named = choices.get(name, {})
        if len(named) > 1:
            found.append((prefix + name, default.name))
        found += _settings(type(default), f"{prefix}{name}.")
        for other in () if set(named) <= set(REGISTRY) else named.values():
            if other is not type(default):
                found += _settings(other, f"{prefix}{name}={other.name} {prefix}{name}.")
    return found
