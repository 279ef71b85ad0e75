"""isotherm fit"""

from pathlib import Path
from typing import Annotated

import typer

from isotherm.cli import options as o
from isotherm.cli.model_help import model_help
from isotherm.cli.option_groups import with_option_groups
from isotherm.cli.outputs import OutputFolder, check_outputs, encoders
from isotherm.errors import ParameterError
from isotherm.folders import MODEL, RUN


@with_option_groups
def fit(
    *,
    interactions: o.InteractionsFile = None,
    items: o.ItemsFile = None,
    model: Annotated[str, typer.Option(help="Registry name of the model.")] = "marec",
    settings: o.Setting = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the fitted model.")] = None,
    valid: Annotated[
        Path | None, typer.Option(help="Clicks for early stopping, for models that train in steps.")
    ] = None,
    run_dir: Annotated[
        Path | None,
        typer.Option("--run-dir", help="Folder for checkpoints and the log; a run that was cut off goes on."),
    ] = None,
    help_model: Annotated[bool, typer.Option("--help-model", help="Show the model's settings.")] = False,
    data: o.DataOptions,
    quiet: o.Quiet = False,
) -> None:
    """Fit a model on clicks (and item metadata) and save it.

    Example: isotherm fit --interactions clicks.parquet --items items.parquet --model marec
    --set backbone.l2=500 --out model
    """
    from isotherm.launcher import launched
    from isotherm.models.fit_inputs import FitOptions
    from isotherm.models.fitting import check_trains_in_steps, trains_among_processes
    from isotherm.models.registry import model_class
    from isotherm.parameters import build, parse_settings

    if help_model:
        typer.echo(model_help(model_class(model)))
        return
    if interactions is None or out is None:
        raise ParameterError("fit needs --interactions and --out")
    chosen = parse_settings(settings or [])
    inputs = {"--interactions": interactions, "--items": items, "--valid": valid}
    check_outputs(
        {**inputs, "--set": encoders(chosen)},
        OutputFolder("--out", out, MODEL),
        OutputFolder("--run-dir", run_dir, RUN),
    )
    wanted = model_class(model)
    built = build(wanted, chosen)
    if valid or run_dir:
        check_trains_in_steps(built)
    leads = not trains_among_processes(built) or launched().rank == 0  # one of several reports and saves
    quiet = quiet or not leads
    o.begin(quiet)
    clicks = data.read_clicks(interactions, quiet)
    valid_clicks = None if valid is None else data.read_clicks(valid, quiet)
    built.fit(clicks, data.read_items(items, quiet), FitOptions(valid_clicks, run_dir))
    if leads:
        built.save(out)
    o.note(f"{built!r}\nsaved to {out}", quiet)
