"""isotherm experiment demo"""

import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isotherm.cli import options as o
from isotherm.cli.outputs import OutputFolder, check_outputs
from isotherm.folders import EXPERIMENT_DEMO
from isotherm.version import __version__

if TYPE_CHECKING:
    from isotherm.experiment.practice import DemoResult
    from isotherm.report.experiment import ExperimentReport


def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder for all that is written.")] = Path("experiment"),
    viewers: Annotated[int, typer.Option(help="Simulated viewers.")] = 3000,
    days: Annotated[int, typer.Option(help="Days of the experiment, all simulated.")] = 14,
    draws: Annotated[int, typer.Option(help="Times that the truth is drawn and averaged.")] = 8,
    aa: Annotated[bool, typer.Option("--aa", help="Both arms have the same model: nothing to find.")] = False,
    seed: Annotated[int, typer.Option(help="Of viewers, their ways, and who is in which arm.")] = 0,
    quiet: o.Quiet = False,
) -> None:
    """A whole experiment to practise on: EASE against kernel-ridge on a real server, with a known truth.

    Viewers whose taste is fitted on real clicks come day by day, ask the server for lists over HTTP, and
    click what they like; new films arrive each day. The log is then analysed as any other. The truth, which
    the analysis never sees, is computed from the viewers' chances to click, and stands beside it.
    Writes report.html, result.json, plan.json and the log, which isotherm experiment analyze reads as well.

    Example: isotherm experiment demo --out experiment --seed 1
    """
    check_outputs({}, OutputFolder("--out", out, EXPERIMENT_DEMO))

    _check_packages()

    from isotherm.data.datasets import dataset
    from isotherm.experiment.practice import Practice, practise

    practice = Practice(viewers=viewers, days=days, draws=draws, same=aa, seed=seed)
    o.begin(quiet)
    loaded = dataset("ml-100k").load()
    o.note(f"MovieLens-100K from {loaded.origin}", quiet)
    with tempfile.TemporaryDirectory(prefix="isotherm-") as folder:
        found = practise(
            loaded.interactions(),
            loaded.item_table(),
            practice,
            Path(folder),
            lambda words: o.note(words, quiet),
        )
    _write(found, out)
    _show(found)
    o.note(f"written to {out}: report.html, result.json, and the log with its plan", quiet)


def _check_packages() -> None:
    """Raises MissingPackageError without what serves, or analyses: before anything is fitted."""
    import isotherm.serving.app
    import isotherm.serving.database
    import isotherm.serving.workers  # noqa: F401 - each says what it needs
    from isotherm.experiment.extra import check_packages

    check_packages()


def _write(found: "DemoResult", out: Path) -> None:
    """All files, whole or not at all."""
    from isotherm.experiment.plan import plan_of
    from isotherm.files import json_writer, streamed, text_writer
    from isotherm.folders import saving

    writers = {
        "report.html": text_writer(_report(found).html()),
        "result.json": json_writer(found.to_dict()),
        "plan.json": json_writer(plan_of(found.experiment)),
        **{f"{name}.parquet": streamed(table.write_parquet) for name, table in found.tables.items()},
    }
    with saving(out, EXPERIMENT_DEMO) as folder:
        files = {name: folder.fixed(name, write) for name, write in writers.items()}
        folder.commit({"isotherm": __version__, "seed": found.practice.seed, "files": files})


def _report(found: "DemoResult") -> "ExperimentReport":
    """The page, with the truth."""
    from isotherm.report.experiment import ExperimentReport, KnownTruth

    known = {name: each.estimate for name, each in found.truths.items() if math.isfinite(each.estimate)}
    facts, practice = found.facts, found.practice
    told = [
        ("viewers", f"{practice.viewers:,}"),
        ("films", f"{facts['titles']:,}"),
        ("of them new, day by day", f"{facts['new_titles']:,}"),
        ("lists over HTTP", f"{facts['lists']:,}"),
        ("events over HTTP", f"{facts['events']:,}"),
        ("lives for the truth", f"{2 * practice.viewers * practice.draws:,}"),
        ("seconds in all", f"{facts['seconds']:,.0f}"),
        ("seed", str(practice.seed)),
    ]
    return ExperimentReport(
        title=f"Does it help? {found.experiment.name}, with simulated viewers",
        source="Films and taste of MovieLens-100K, viewers simulated, lists from a real server",
        result=found.result,
        truth=KnownTruth(known, found.inside, found.right),
        facts=told,
    )


def _show(found: "DemoResult") -> None:
    """The looks day by day, then verdict and truth in words."""
    from isotherm.cli.results import show_table
    from isotherm.report.experiment.tables import looks_table

    looks = looks_table(found.result)
    if looks.rows:
        show_table(looks.names, looks.rows)
    for line in found.result.words:
        typer.echo(line)
    where = "inside" if found.inside else "outside"
    how = "right" if found.right else "wrong"
    truth = f"{found.truth.estimate:+.2%}"
    typer.echo(
        f"The truth, which the analysis never saw: {truth}, {where} the interval. The verdict is {how}."
    )
