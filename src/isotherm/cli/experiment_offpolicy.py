"""isotherm experiment offpolicy"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isotherm.cli import options as o
from isotherm.cli.option_groups import with_option_groups
from isotherm.cli.outputs import OutputFile, check_outputs, saved_model
from isotherm.errors import OutputError, OverlapError, ParameterError, shown_path

if TYPE_CHECKING:
    from isotherm.experiment.offpolicy import Logged, OffPolicyOptions, OffPolicyResult, OverlapRules, Target
    from isotherm.experiment.plan import Exploration

RESULT = "result.json"


@dataclass(frozen=True)
class LogOptions:
    """How a log is read."""

    event: Annotated[str, typer.Option(help="Of a server's log: the type of events that count.")] = "click"
    within: Annotated[
        float, typer.Option(help="Of a server's log: seconds after a list until which its events count.")
    ] = 86_400.0
    action_column: Annotated[str, typer.Option(help="Of a table: column of item ids.")] = "item_id"
    reward_column: Annotated[str, typer.Option(help="Of a table: column of rewards.")] = "reward"
    propensity_column: Annotated[str, typer.Option(help="Of a table: column of the logged propensities.")] = (
        "propensity"
    )
    user_column: Annotated[
        str, typer.Option(help="Of a table: column of user ids; without it a list is a user.")
    ] = "user_id"
    list_column: Annotated[
        str, typer.Option(help="Of a table: column of lists; without it a row is a list.")
    ] = "request_id"
    position_column: Annotated[
        str, typer.Option(help="Of a table: column of positions, from 1; without it all are 1.")
    ] = "position"


@dataclass(frozen=True)
class RankingOptions:
    """How the model of --target shows its ranking."""

    explore: Annotated[str, typer.Option(help="How a model's lists are drawn: epsilon, softmax or none.")] = (
        "epsilon"
    )
    share: Annotated[float, typer.Option(help="Share of places that are drawn.")] = 0.1
    from_rank: Annotated[int, typer.Option(help="First place that may be drawn.")] = 2
    temperature: Annotated[float, typer.Option(help="Of softmax.")] = 1.0
    pool: Annotated[int, typer.Option(help="Best items that are drawn from.")] = 50
    show_seen: Annotated[bool, typer.Option("--show-seen", help="Show what users had clicked, too.")] = False

    def exploration(self) -> "Exploration | None":
        """As a plan has it. Raises ParameterError."""
        from isotherm.checks import one_of
        from isotherm.experiment.plan import Exploration

        if one_of("--explore", self.explore, ("epsilon", "softmax", "none")) == "none":
            return None
        found = Exploration(self.explore, self.share, self.from_rank, self.temperature, self.pool)
        found.check("exploration")
        return found


@dataclass(frozen=True)
class RuleOptions:
    """When nothing is estimated."""

    least_size: Annotated[float, typer.Option(help="Least effective sample size.")] = 100.0
    most_share: Annotated[float, typer.Option(help="Most of all weight that one row may carry.")] = 0.05
    most_missing: Annotated[
        float, typer.Option(help="Most that the mean weight may be away from 1, beyond chance.")
    ] = 0.1

    def checked(self) -> "OverlapRules":
        """As the study takes them. Raises ParameterError."""
        from isotherm.experiment.offpolicy import OverlapRules

        return OverlapRules(self.least_size, self.most_share, self.most_missing)


@dataclass(frozen=True)
class EstimateOptions:
    """How a policy is estimated."""

    lists: Annotated[
        str | None,
        typer.Option(
            help="What a reward in a list depends on: item-position, cascade (the items up to it too) or "
            "list.  [default: cascade for a server's log, else item-position]",
            show_default=False,
        ),
    ] = None
    per: Annotated[str, typer.Option(help="What rewards are divided by: impression or list.")] = "impression"
    method: Annotated[
        str, typer.Option(help="Of the verdict: ips, snips, doubly-robust, switch, or auto.")
    ] = "auto"
    clip: Annotated[float | None, typer.Option(help="Largest weight; larger ones are set to it.")] = None
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Of switch: weight above which the model of rewards is trusted.  [default: chosen]"
        ),
    ] = None
    interval: Annotated[str, typer.Option(help="delta or bootstrap, both by users.")] = "delta"
    seed: Annotated[int, typer.Option(help="Of folds and of the bootstrap.")] = 0

    def checked(self, lists: str, rules: "OverlapRules") -> "OffPolicyOptions":
        """As the study takes them.  lists: where nothing else is said. Raises ParameterError."""
        from isotherm.experiment.offpolicy import OffPolicyOptions

        return OffPolicyOptions(
            lists=lists if self.lists is None else self.lists,
            per=self.per,
            clip=self.clip,
            threshold="auto" if self.threshold is None else self.threshold,
            method=self.method,
            interval=self.interval,
            rules=rules,
            seed=self.seed,
        )


@with_option_groups
def offpolicy(
    *,
    log: Annotated[
        Path,
        typer.Option(
            help="Folder with a server's exposures*.parquet and events*.parquet, or a table with a row for "
            "each shown item."
        ),
    ],
    target: Annotated[
        str,
        typer.Option(
            metavar="DIR|COLUMN", help="The new policy: folder of a saved model, or a column of propensities."
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for result.json.")] = None,
    reading: LogOptions,
    ranking: RankingOptions,
    how: EstimateOptions,
    rules: RuleOptions,
    quiet: o.Quiet = False,
) -> None:
    """Estimate what a new model would get, from the log of another, before anybody is shown it.

    The log holds the probability with which each item was shown. Nothing is estimated, and the reason is
    told, where it says too little of the new policy. Users are the units of all intervals.

    Example: isotherm experiment offpolicy --log exported --target new-model --out estimate
    """
    result_file = None if out is None else out / RESULT
    folder = saved_model(Path(target))
    inputs = {"--log": log, "--target": folder}
    check_outputs(inputs, OutputFile("--out", result_file, (".json",)))
    if out is not None and out.exists() and not out.is_dir():
        raise OutputError(f"--out {shown_path(out)}: is a file; name a folder")

    from isotherm.experiment.offpolicy import estimate
    from isotherm.files import write_json

    options = how.checked("cascade" if log.is_dir() else "item-position", rules.checked())
    exploration = ranking.exploration()
    o.begin(quiet)
    logged, policy, counts = _read(log, target, folder, reading)
    if policy is None:
        policy = _ranking(target, folder, exploration, ranking.show_seen)
    try:
        found = estimate(logged, policy, options)
    except OverlapError as refusal:
        if result_file is not None:
            write_json(result_file, _refused(str(refusal), options.per, counts))
        raise
    if result_file is not None:
        write_json(result_file, {**found.to_dict(), "counts": counts})
    _show(found)


def _read(
    log: Path, target: str, folder: Path | None, reading: LogOptions
) -> "tuple[Logged, Target | None, dict[str, int]]":
    """The log, the target where it is a column, and what was left out."""
    from isotherm.experiment.offpolicy import Column, LogColumns, read_log, read_serving_log

    if log.is_dir():
        column = None if folder is not None else target
        served = read_serving_log(log, reading.event, reading.within, column)
        return served.log, None if served.target is None else Column(served.target), served.counts
    columns = LogColumns(
        reading.action_column,
        reading.reward_column,
        reading.propensity_column,
        reading.user_column,
        reading.list_column,
        reading.position_column,
    )
    table, values = read_log(log, columns, None if folder is not None else target)
    return table, None if values is None else Column(values), {}


def _ranking(
    target: str, folder: Path | None, exploration: "Exploration | None", show_seen: bool
) -> "Target":
    from isotherm.experiment.offpolicy import ModelRanking
    from isotherm.models.persistence import load

    if folder is None:
        raise ParameterError(f"--target {target}: no folder of a model, and no column of the log")
    return ModelRanking(load(folder), exploration, exclude_seen=not show_seen)


def _refused(words: str, per: str, counts: dict[str, int]) -> dict[str, Any]:
    nothing = dict.fromkeys(("estimate", "low", "high", "p"))
    return {"metric": f"reward per {per}", **nothing, "verdict": "refused", "words": words, "counts": counts}


def _show(found: "OffPolicyResult") -> None:
    """All estimates, the overlap, and the verdict in words."""
    from isotherm.cli.results import show_table

    rows = [
        [name, f"{each.estimate:.5g}", f"{each.low:.5g}", f"{each.high:.5g}"]
        for name, each in (("logged", found.logged), *found.estimates.items())
    ]
    show_table([f"reward per {found.options.per}", "estimate", "low", "high"], rows)
    overlap = found.overlap
    typer.echo(
        f"effective sample size {overlap.size:,.0f} of {overlap.rows:,} rows, {overlap.users:,} users; mean "
        f"weight {overlap.mean_weight:.3f}; the largest is {overlap.largest:.3g}, "
        f"{overlap.largest_share:.2%} of all weight"
    )
    typer.echo(f"{found.verdict}: {found.words}")
