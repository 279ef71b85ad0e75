"""isotherm evaluate"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isotherm.cli import options as o
from isotherm.cli.compared_models import ComparedModels
from isotherm.cli.option_groups import with_option_groups
from isotherm.cli.outputs import check_outputs, encoders, results
from isotherm.cli.results import show_evaluation, show_ramp_up
from isotherm.cli.split_options import LogFiles, SplitOptions, check_unused, read_split
from isotherm.errors import InteractionsError, ParameterError, brief

if TYPE_CHECKING:
    from collections.abc import Callable

    from isotherm.data import Interactions, Items
    from isotherm.evaluation import Evaluation, RampUp


@dataclass(frozen=True)
class MeasureOptions:
    """What is measured: list lengths, candidates, users and groups."""

    k: Annotated[str, typer.Option("-k", help="List lengths, comma-separated.")] = "10"
    candidates: Annotated[
        str,
        typer.Option(help="catalogue: all items of --items; clicked: those of the log alone."),
    ] = "catalogue"
    only_users: Annotated[
        Path | None, typer.Option(help="Table whose user_id column names the only users to measure.")
    ] = None
    by: Annotated[
        str,
        typer.Option(
            help="Metrics by group besides: users (returning, new), history, item-age; comma-separated."
        ),
    ] = ""
    fields: Annotated[
        str,
        typer.Option(help="Categories and tags that diversity and calibration go by; all if not given."),
    ] = ""

    available_column: Annotated[
        str | None,
        typer.Option(
            help="temporal: item field with the date from which an item is a candidate.  [default: "
            "available_from, where there is one]",
            show_default=False,
        ),
    ] = None

    def check(self) -> None:
        """Raise ParameterError for what is no possible value, before the log is read."""
        from isotherm.checks import one_of
        from isotherm.evaluation.groups import LABELS
        from isotherm.evaluation.options import CANDIDATES

        one_of("candidates", self.candidates, CANDIDATES)
        for grouping in _words(self.by):
            one_of("by", grouping, tuple(LABELS))


@with_option_groups
def evaluate(
    *,
    logs: LogFiles,
    items: o.ItemsFile = None,
    split: SplitOptions,
    models: Annotated[str, typer.Option(help="Registry names, comma-separated.")] = "popularity,ease",
    settings: o.Setting = None,
    measured: MeasureOptions,
    files: o.ResultFiles,
    data: o.DataOptions,
    quiet: o.Quiet = False,
) -> None:
    """Compare models on cold, warm and all candidates, with intervals.

    Example: isotherm evaluate --interactions clicks.parquet --items items.parquet --protocol mixed
    --models popularity,content-knn,ease,marec --set marec.backbone.l2=100 -k 10,25 --json out.json
    """
    from isotherm.data.wording import counted_words
    from isotherm.parameters import parse_settings

    parsed = parse_settings(settings or [])
    read = {"--items": items, "--only-users": measured.only_users, "--set": encoders(parsed)}
    check_outputs({**logs.inputs(), **read}, *results(files))
    ks = _lengths(measured.k)
    compared = ComparedModels(_words(models), parsed)
    compared.check_items(items)
    split.check()
    measured.check()
    o.begin(quiet)
    inputs = _Inputs(logs, items, data, quiet)
    if split.protocol == "ramp-up":
        ramp = _measure_ramp_up(inputs, split, compared, ks, measured, _written(files))
        _write_ramp_up(ramp, ks[0], logs, files)
        show_ramp_up(ramp, f"hr@{ks[0]}")
        return
    evaluation = _measure(inputs, split, compared, ks, measured, compared.to_come(_written(files)))
    for reason, n in evaluation.split["dropped"].items():
        o.note(f"skipped {counted_words(n, reason)}", quiet)
    _write(evaluation, ks[0], compared, logs, files)
    show_evaluation(evaluation, ks)


@dataclass(frozen=True)
class _Inputs:
    """The files to read, and how."""

    logs: LogFiles
    items: Path | None
    data: o.DataOptions
    quiet: bool

    def read_clicks(self, path: Path) -> "Interactions":
        return self.data.read_clicks(path, self.quiet)

    def read_items(self) -> "Items | None":
        return self.data.read_items(self.items, self.quiet)


def _written(files: o.ResultFiles) -> "Callable[[Evaluation | RampUp], None]":
    """Writes what is measured so far to --json, where that was asked for."""

    def write(so_far: "Evaluation | RampUp") -> None:
        if files.json is not None:
            so_far.write_json(files.json)

    return write


def _measure(
    inputs: _Inputs,
    split: SplitOptions,
    compared: ComparedModels,
    ks: list[int],
    measured: MeasureOptions,
    after_model: "Callable[[Evaluation], None]",
) -> "Evaluation":
    """Split, fit and measure."""
    from isotherm.data.reading.tables import read_ids
    from isotherm.evaluation import evaluate as evaluate_models

    train_and_test = read_split(inputs.logs, split, inputs.read_clicks)
    only_users, user_column = measured.only_users, inputs.data.user_column
    users = None if only_users is None else read_ids(only_users, user_column, InteractionsError)
    return evaluate_models(
        train_and_test,
        compared,
        inputs.read_items(),
        ks,
        split.seed,
        candidates=measured.candidates,
        users=users,
        by=_words(measured.by),
        fields=_words(measured.fields) or None,
        available_column=measured.available_column,
        after_model=after_model,
    )


def _measure_ramp_up(
    inputs: _Inputs,
    split: SplitOptions,
    compared: ComparedModels,
    ks: list[int],
    measured: MeasureOptions,
    after_model: "Callable[[RampUp], None]",
) -> "RampUp":
    """New items with 0, 1, 2, 5, 10 and 20 clicks."""
    from isotherm.evaluation import ramp_up

    if inputs.logs.interactions is None:
        raise ParameterError("--protocol ramp-up needs --interactions")
    unused = {"--folds": split.folds, "--seeds": split.seeds, "--by": measured.by}
    check_unused(
        "--protocol ramp-up:",
        {
            **unused,
            "--only-users": measured.only_users,
            "--fields": measured.fields,
            "--available-column": measured.available_column,
            **split.of_other_protocols("ramp-up"),
        },
    )
    return ramp_up(
        inputs.read_clicks(inputs.logs.interactions),
        compared.pairs,
        inputs.read_items(),
        ks=ks,
        holdout=split.hidden_share,
        seed=split.seed,
        candidates=measured.candidates,
        after_model=after_model,
    )


def _write(
    evaluation: "Evaluation", k: int, compared: ComparedModels, logs: LogFiles, files: o.ResultFiles
) -> None:
    """The files that were asked for."""
    if files.json is not None:
        evaluation.write_json(files.json)
    if files.report is not None:
        from isotherm.report import Report

        source = str(logs.interactions if logs.interactions is not None else logs.train)
        title = f"{', '.join(evaluation.models)} on {Path(source).name}"
        best = compared.best(evaluation, k)
        report = Report(title, source, evaluation, k, best, importance=compared.importance(best))
        report.write(files.report)


def _write_ramp_up(ramp: "RampUp", k: int, logs: LogFiles, files: o.ResultFiles) -> None:
    """The files that were asked for."""
    if files.json is not None:
        ramp.write_json(files.json)
    if files.report is not None:
        from isotherm.report import RampReport

        assert logs.interactions is not None
        source = logs.interactions.name
        RampReport(f"From cold to warm on {source}", source, ramp, k).write(files.report)


def _lengths(text: str) -> list[int]:
    """List lengths, ascending. Raises ParameterError."""
    from isotherm.evaluation.options import lengths

    try:
        ks = [int(word) for word in text.split(",")]
    except ValueError as cause:
        raise ParameterError(f"-k takes whole numbers, comma-separated, not {brief(text)}") from cause
    return lengths(ks)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
