"""isotherm experiment design"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isotherm.cli import options as o
from isotherm.cli.experiment_log import DatabaseLog
from isotherm.cli.option_groups import with_option_groups
from isotherm.cli.outputs import OutputFile, check_outputs
from isotherm.errors import ParameterError

if TYPE_CHECKING:
    from isotherm.experiment.design import Design, MetricDesign
    from isotherm.experiment.log import Users


@with_option_groups
def design(
    *,
    events: Annotated[
        Path | None,
        typer.Option(help="Event log of the site: Parquet file, folder or glob; or give --db."),
    ] = None,
    database: DatabaseLog,
    exposures: Annotated[
        Path | None, typer.Option(help="Its lists, which tell what was cold: Parquet file, folder or glob.")
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            help="Last days of the log to try experiments on; those before are the time before.  "
            "[default: half of them, 28 at most]",
            show_default=False,
        ),
    ] = None,
    effect: Annotated[float, typer.Option(help="Relative effect that shall be told: 0.02 for 2%.")] = 0.02,
    power: Annotated[float, typer.Option(help="Chance of telling it.")] = 0.8,
    level: Annotated[float, typer.Option(help="Level of the two-sided test.")] = 0.95,
    traffic: Annotated[float, typer.Option(help="Share of the users who take part.")] = 1.0,
    treated: Annotated[float, typer.Option(help="Share of these who get the treatment.")] = 0.5,
    cuped: Annotated[bool, typer.Option(help="Use what users did before, to narrow intervals.")] = True,
    splits: Annotated[int, typer.Option(help="Experiments without any change to try on the log.")] = 500,
    seed: Annotated[int, typer.Option(help="Of these.")] = 0,
    json: o.JSONFile = None,
    quiet: o.Quiet = False,
) -> None:
    """Learn from a site's own log how many users and days an experiment needs.

    For every metric: its base rate, how it varies between users, what CUPED takes off, the least effect that
    is told after so many days, and the days that the wanted effect needs. Experiments without any change on
    the log show how often p < 0.05 is false.

    The log is in files, or in the database of a server: then its tables are exported to a temporary folder
    first.

    Example: isotherm experiment design --events 'events/*.parquet' --effect 0.02
    """
    check_outputs({"--events": events, "--exposures": exposures}, OutputFile("--json", json, (".json",)))
    for option, files in (("--events", events), ("--exposures", exposures)):
        database.check(option, files)

    from isotherm.experiment.design import DesignOptions
    from isotherm.experiment.design import design as designed

    options = DesignOptions(effect, power, level, traffic, treated, cuped, splits=splits, seed=seed)
    o.begin(quiet)
    found = designed(_users(events, exposures, days, database, quiet), options=options)
    if json is not None:
        found.write_json(json)
    _show(found)


def _users(
    events: Path | None, exposures: Path | None, days: int | None, database: DatabaseLog, quiet: bool
) -> "Users":
    """Those of files, or of a database."""
    from isotherm.experiment.design import site_users

    if events is not None:
        return site_users(events, exposures, days)
    if exposures is not None:
        raise ParameterError("--events is missing: name the event log that --exposures belongs to")
    with database.exported(quiet, "events") as folder:
        lists = folder / "exposures"
        return site_users(folder, lists if lists.is_dir() else None, days)


def _show(found: "Design") -> None:
    """A row for each metric, then the words."""
    from isotherm.cli.results import show_table

    days_shown = sorted({each.days for metric in found.metrics for each in metric.horizons[-6:]})
    rows = []
    for metric in found.metrics:
        told = {each.days: f"{each.detectable:.2%}" for each in metric.horizons}
        rows.append(
            [
                metric.metric.name,
                *_told(metric),
                *(told.get(day, "") for day in days_shown),
                "" if metric.days is None else str(metric.days),
            ]
        )
    names = ["metric", "value", "deviation", "variance kept", *(f"{day} d" for day in days_shown), "days"]
    show_table(names, rows)
    for line in found.words:
        typer.echo(line)


def _told(metric: "MetricDesign") -> list[str]:
    """Value, deviation, variance kept; nothing where they are not measured."""
    if metric.note:
        return ["", "", ""]
    return [f"{metric.value:.4g}", f"{metric.deviation:.4g}", f"{metric.variance_kept:.0%}"]
