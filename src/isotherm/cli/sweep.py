"""isotherm sweep"""

from pathlib import Path
from typing import Annotated

import typer

from isotherm.cli import options as o
from isotherm.cli.option_groups import with_option_groups
from isotherm.cli.outputs import OutputFolder, check_outputs
from isotherm.errors import ParameterError
from isotherm.folders import SWEEP


@with_option_groups
def sweep(
    *,
    interactions: Annotated[Path, typer.Option(help="Click log to train and rank on.")],
    out: Annotated[
        Path,
        typer.Option(help="Folder for cells, models, sweep.json and sweep.html; a sweep cut off goes on."),
    ],
    model: Annotated[str, typer.Option(help="multvae, multdae or recvae.")] = "multvae",
    beta: Annotated[str, typer.Option(help="Values of β (its cap, value or gamma), comma-separated.")] = "",
    keep: Annotated[str, typer.Option(help="Values of the mask's keep probability; 1 is no mask.")] = "",
    anchors: Annotated[str, typer.Option(help="Values of the anchors' weight λ_A; 0 is without.")] = "",
    settings: o.Setting = None,
    holdout: Annotated[float, typer.Option(help="Share of the users that rank.")] = 0.1,
    fold_in: Annotated[float, typer.Option(help="Share of their clicks that is history.")] = 0.8,
    pairs: Annotated[int, typer.Option(help="Pairs of users per cell, for the geometry.")] = 2000,
    probe: Annotated[float, typer.Option(help="Share of the clicks that the geometry's masks keep.")] = 0.5,
    seed: Annotated[int, typer.Option(help="Of split, pairs and masks.")] = 0,
    jobs: Annotated[int, typer.Option(help="Cells at one time; they share the cores.")] = 1,
    log: o.LogOptions,
    quiet: o.Quiet = False,
) -> None:
    """Train a VAE over a grid of β × keep × λ_A and see what they trade against each other.

    Example: isotherm sweep --interactions clicks.parquet --beta 0.1,0.2,0.5 --keep 0.5,0.8,1
    --anchors 0,1,3 --jobs 2 --out sweep
    """
    check_outputs({"--interactions": interactions}, OutputFolder("--out", out, SWEEP))

    from isotherm.cli.results import show_table
    from isotherm.parameters import parse_settings
    from isotherm.report.sweep import SweepReport, table
    from isotherm.tuning.grid import Grid
    from isotherm.tuning.plan import SweepOptions
    from isotherm.tuning.sweep import run_sweep

    grid = Grid(_numbers("beta", beta), _numbers("keep", keep), _numbers("anchors", anchors))
    options = SweepOptions(holdout, fold_in, pairs, probe, seed)
    o.begin(quiet)
    clicks = log.read_clicks(interactions, quiet)
    swept = parse_settings(settings or [])
    result = run_sweep(clicks, out, grid, model=model, settings=swept, options=options, jobs=jobs)
    result.write_json(out / "sweep.json")
    title = f"Sweep of {model} on {interactions.name}"
    SweepReport(title, str(interactions), result).write(out / "sweep.html")
    shown = table(result)
    show_table(shown.names, shown.rows)
    o.note(f"{out / 'sweep.html'}", quiet)


def _numbers(name: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError as cause:
        raise ParameterError(f"--{name} takes numbers, comma-separated, not {text!r}") from cause
