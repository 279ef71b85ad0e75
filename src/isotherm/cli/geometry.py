"""isotherm geometry"""

from pathlib import Path
from typing import Annotated, Any

import typer

from isotherm.cli import options as o
from isotherm.cli.option_groups import with_option_groups
from isotherm.cli.outputs import check_outputs, results, saved_model
from isotherm.errors import ParameterError


@with_option_groups
def geometry(
    *,
    model: Annotated[Path, typer.Option(help="Folder of a saved multvae, multdae or recvae.")],
    interactions: Annotated[Path, typer.Option(help="Click log: the histories of the users to look at.")],
    compare: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of another model over the same items, to stand beside; may be repeated."),
    ] = None,
    items: o.ItemsFile = None,
    users: Annotated[int, typer.Option(help="Users to look at, drawn where there are more.")] = 20_000,
    pairs: Annotated[int, typer.Option(help="Pairs of them, about.")] = 20_000,
    keep: Annotated[
        float | None, typer.Option(help="Share of clicks that masks keep [as --model has it].")
    ] = None,
    masks: Annotated[int, typer.Option(help="Masks, for the drift of neighbours.")] = 8,
    neighbours: Annotated[int, typer.Option(help="Nearest users looked at, for the drift.")] = 10,
    points: Annotated[int, typer.Option(help="Draws of each posterior.")] = 2,
    step: Annotated[float, typer.Option(help="Share of the loss that a tested own step takes away.")] = 1e-3,
    seed: Annotated[int, typer.Option(help="Of pairs, masks and draws.")] = 0,
    files: o.ResultFiles,
    data: o.DataOptions,
    quiet: o.Quiet = False,
) -> None:
    """See who learns from whom in a VAE, and what β, masks and anchors do to it.

    Example: isotherm geometry --model anchors --compare plain --interactions clicks.parquet
    --items items.parquet --json geometry.json --report geometry.html
    """
    saved = [each for each in map(saved_model, (model, *(compare or []))) if each]
    inputs = {"--interactions": interactions, "--items": items, "--model or --compare": saved}
    check_outputs(inputs, *results(files))

    from isotherm.cli.results import show_table
    from isotherm.data.wording import counted
    from isotherm.geometry import StudyOptions, study_models
    from isotherm.models.vae.objective.masking import Bernoulli
    from isotherm.report.geometry import GeometryReport, summary

    mask = None if keep is None else Bernoulli(keep=keep)
    options = StudyOptions(users, pairs, mask, masks, neighbours, points, step, seed)
    o.begin(quiet)
    models = _loaded([model, *(compare or [])])
    clicks = data.read_clicks(interactions, quiet)
    found = study_models(models, clicks, data.read_items(items, quiet), options)
    if found.left_out:
        o.note(f"left out: {counted(found.left_out, 'user')} without a click on an item of the model", quiet)
    if files.json is not None:
        found.write_json(files.json)
    if files.report is not None:
        title = f"Geometry of {', '.join(models)} on {interactions.name}"
        GeometryReport(title, str(interactions), found).write(files.report)
    table = summary(found.models)
    show_table(table.names, table.rows)


def _loaded(folders: list[Path]) -> dict[str, Any]:
    """The models by the names of their folders, as long as these are different."""
    from isotherm.models.persistence import load

    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    if len(set(names)) < len(names):
        raise ParameterError("--model and --compare name the same folder twice")
    return {name: load(folder) for name, folder in zip(names, folders, strict=True)}
