"""isotherm experiment analyze"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isotherm.cli import options as o
from isotherm.cli.experiment_log import DatabaseLog
from isotherm.cli.option_groups import with_option_groups
from isotherm.cli.outputs import OutputFile, check_outputs
from isotherm.errors import BAD_INPUT, EventLogError, OutputError, ParameterError, shown_path

if TYPE_CHECKING:
    from isotherm.experiment.analysis import AnalysisOptions, Result
    from isotherm.experiment.analysis.effects import Interval
    from isotherm.experiment.log import Users
    from isotherm.experiment.metrics import Metric
    from isotherm.experiment.plan import Experiment


@dataclass(frozen=True)
class AnalysisFlags:
    """How the log is analysed."""

    level: Annotated[float, typer.Option(help="Of intervals and confidence sequences.")] = 0.95
    prior_scale: Annotated[
        float, typer.Option(help="Standard deviation of relative effects, as expected beforehand.")
    ] = 0.05
    worth: Annotated[float, typer.Option(help="Smallest relative effect worth having.")] = 0.01
    correction: Annotated[str, typer.Option(help="For several arms and goals: holm or fdr.")] = "holm"
    replicates: Annotated[int, typer.Option(help="Of the bootstrap.")] = 1000
    cuped: Annotated[bool, typer.Option(help="Use what users did before, to narrow intervals.")] = True
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0

    def options(self) -> "AnalysisOptions":
        """Checked. Raises ParameterError."""
        from isotherm.checks import one_of
        from isotherm.experiment.analysis import AnalysisOptions

        one_of("--correction", self.correction, ("holm", "fdr"))
        return AnalysisOptions(
            level=self.level,
            prior_scale=self.prior_scale,
            worth=self.worth,
            correction="fdr" if self.correction == "fdr" else "holm",
            replicates=self.replicates,
            cuped=self.cuped,
            seed=self.seed,
        )


@with_option_groups
def analyze(
    *,
    plan: Annotated[Path, typer.Option(help="The experiment as it was declared: JSON.")],
    log: Annotated[
        Path | None,
        typer.Option(
            help="Folder with events, assignments and, if any, exposures and model_swaps; or give --db."
        ),
    ] = None,
    database: DatabaseLog,
    out: Annotated[Path, typer.Option(help="Folder for result.json and report.html.")],
    metric: Annotated[
        list[str] | None,
        typer.Option(help="A metric; may be repeated, the goal of the verdict first.  [default: all]"),
    ] = None,
    despite_mismatch: Annotated[
        bool, typer.Option("--despite-mismatch", help="Show figures that cannot be believed, with a warning.")
    ] = False,
    flags: AnalysisFlags,
    quiet: o.Quiet = False,
) -> None:
    """Learn from an event log whether a treatment helped, and by how much.

    The log is in files, or in the database of a server: then its tables are exported to a temporary folder
    first. Where the arms do not have the users that the plan gives them, nothing is shown but that, and the
    command fails.

    Example: isotherm experiment analyze --plan plan.json --db sqlite:///live.db --out result
    """
    file = OutputFile("result.json in --out", out / "result.json", (".json",))
    page = OutputFile("report.html in --out", out / "report.html", (".html",))
    check_outputs({"--plan": plan, "--log": log}, file, page)
    database.check("--log", log)

    from isotherm.experiment.analysis import analyze as analysed
    from isotherm.experiment.analysis.planned import planned
    from isotherm.experiment.log import EventLog, Window, read_users
    from isotherm.experiment.plan import read_plan
    from isotherm.report.experiment import ExperimentReport

    options, metrics = flags.options(), _metrics(metric)
    o.begin(quiet)
    declared = read_plan(plan)
    logged = _log(log, database, quiet)
    if declared.kind == "interleaving":
        _tell_preference(declared, logged, options, out, metric)
        return
    with logged as folder:
        users = read_users(EventLog.of_folder(folder), Window.of(declared))
        _check_anybody(users, log, plan)
        schedule = planned(declared, folder)
    found = analysed(users, metrics, schedule, options, despite_mismatch)
    out.mkdir(parents=True, exist_ok=True)
    ExperimentReport(declared.name, _source(log), found).write(out / "report.html")
    found.write_json(out / "result.json")
    _show(found)
    if found.sample_ratio.mismatch:
        typer.echo(f"warning: {found.sample_ratio.words}", err=True)
        raise typer.Exit(BAD_INPUT)


def _check_anybody(users: "Users", log: Path | None, plan: Path) -> None:
    """Raise EventLogError where an experiment has no user, and where no event is of one."""
    place, counts = "--db" if log is None else shown_path(log), users.counts
    if len(users) and counts.rows and counts.without_exposure == counts.rows - counts.repeated:
        raise EventLogError(
            f"{place}: column 'user_id': none of the {counts.rows:,} events is of a user whom assignments "
            f"put into an arm, such as {users.ids[0]!r}; write the same ids to both, or wait for events"
        )
    if not len(users):
        raise EventLogError(
            f"{place}: assignments hold no user of the experiment within its time, whom the weights drew; in "
            f"{shown_path(plan)} give the name that the log has, or mend start and end"
        )


def _metrics(names: list[str] | None) -> "list[Metric]":
    """Those of --metric; all where there are none. Raises ParameterError."""
    from isotherm.experiment.metrics import STANDARD, by_name

    chosen = [by_name(name) for name in dict.fromkeys(names or [])] or list(STANDARD)
    if not any(each.role == "goal" for each in chosen):
        goals = ", ".join(each.name for each in STANDARD if each.role == "goal")
        raise ParameterError(f"--metric: {chosen[0].name} is a guardrail, no goal; name one of {goals}, too")
    return chosen


def _tell_preference(
    plan: "Experiment",
    log: AbstractContextManager[Path],
    options: "AnalysisOptions",
    out: Path,
    metric: list[str] | None,
) -> None:
    """Of interleaved lists: result.json alone, beside no page of another experiment."""
    from isotherm.experiment.analysis.preference import preference

    if (out / "report.html").exists():
        raise OutputError(
            f"--out: {shown_path(out)} holds report.html of another experiment, and interleaved lists get "
            "result.json alone; name a new folder"
        )
    if metric:
        raise ParameterError(
            "--metric: the plan's kind is interleaving, which tells a preference; leave it out"
        )
    with log as folder:
        found = preference(plan, folder, options)
    out.mkdir(parents=True, exist_ok=True)
    found.write_json(out / "result.json")
    for line in found.words:
        typer.echo(line)


@contextmanager
def _log(log: Path | None, database: DatabaseLog, quiet: bool) -> Iterator[Path]:
    """The folder of the log."""
    if log is not None:
        yield log
        return
    with database.exported(quiet, "events", "assignments") as folder:
        yield folder


def _source(log: Path | None) -> str:
    """Of the log, in words."""
    return "The log of a server's database" if log is None else f"The log in {shown_path(log)}"


def _show(found: "Result") -> None:
    """A row for each metric and treatment, then the words."""
    from isotherm.cli.results import show_table
    from isotherm.report.experiment.tables import p_or_none

    rows = []
    for each in found.metrics:
        told = each.effect
        row = [each.metric.name, each.arm]
        if told is None:
            rows.append([*row, *[""] * 6])
            continue
        sequence = "" if not each.looks else _told(each.looks[-1].sequence)
        better = f"{told.posterior.probability_better:.1%}"
        row += [
            f"{told.control:.4g}",
            f"{told.treatment:.4g}",
            f"{told.estimate:+.2%} {_told(told.relative)}",
            sequence,
        ]
        rows.append([*row, p_or_none(each.p_adjusted), better])
    names = ["metric", "arm", "control", "treatment", "relative", "at any look", "p, corrected", "better"]
    if rows:
        show_table(names, rows, words=2)
    for line in found.words:
        typer.echo(line)


def _told(interval: "Interval") -> str:
    return f"[{interval.low:+.2%}, {interval.high:+.2%}]"
