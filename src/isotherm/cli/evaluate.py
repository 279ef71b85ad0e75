"""isotherm evaluate"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from isotherm.cli import options as o
from isotherm.cli.outputs import check_outputs, encoders, results
from isotherm.cli.results import show_evaluation, show_ramp_up
from isotherm.errors import InteractionsError, ParameterError, brief

_PROTOCOLS = "cold-items, mixed, strong, leave-one-out, temporal or ramp-up"

#: protocol -> the argument that it alone takes, and its option
_OWN = {
    "mixed": ("warm_holdout", "--warm-holdout"),
    "strong": ("fold_in", "--fold-in"),
    "leave-one-out": ("negatives", "--negatives"),
}


def evaluate(
    interactions: o.InteractionsFile = None,
    train: Annotated[Path | None, typer.Option(help="Your own split: clicks to learn from.")] = None,
    test: Annotated[Path | None, typer.Option(help="Your own split: clicks to find.")] = None,
    valid: Annotated[Path | None, typer.Option(help="Your own split: clicks for early stopping.")] = None,
    items: o.ItemsFile = None,
    protocol: Annotated[str | None, typer.Option(help=f"{_PROTOCOLS}.")] = None,
    holdout: Annotated[
        float | None, typer.Option(help="Share of items, users or clicks to hide; 0.2 if not given.")
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(help="cold-items, mixed, strong: hide every item or user once, in so many folds."),
    ] = None,
    warm_holdout: Annotated[
        float | None, typer.Option(help="mixed: share of the other clicks to hide; 0.1 if not given.")
    ] = None,
    fold_in: Annotated[
        float | None,
        typer.Option(help="strong: share of a user's clicks that is history; 0.8 if not given."),
    ] = None,
    negatives: Annotated[
        int | None, typer.Option(help="leave-one-out: sampled negatives; if not given, all items are ranked.")
    ] = None,
    seed: Annotated[int, typer.Option(help="For the split and the intervals.")] = 0,
    models: Annotated[str, typer.Option(help="Registry names, comma-separated.")] = "popularity,ease",
    settings: o.Setting = None,
    k: Annotated[str, typer.Option("-k", help="List lengths, comma-separated.")] = "10",
    candidates: Annotated[
        str,
        typer.Option(help="catalogue: all items of --items; clicked: those of the log alone."),
    ] = "catalogue",
    only_users: Annotated[
        Path | None, typer.Option(help="Table whose user_id column names the only users to measure.")
    ] = None,
    by: Annotated[
        str, typer.Option(help="Metrics by group besides: clicks, item-age; comma-separated.")
    ] = "",
    fields: Annotated[
        str,
        typer.Option(help="Categories and tags that diversity and calibration go by; all if not given."),
    ] = "",
    json: o.JSONFile = None,
    report: o.ReportFile = None,
    kinds: o.Kinds = None,
    user_column: o.UserColumn = "user_id",
    item_column: o.ItemColumn = "item_id",
    rating_column: o.RatingColumn = None,
    timestamp_column: o.TimestampColumn = None,
    weight_column: o.WeightColumn = None,
    min_rating: o.MinRating = None,
    quiet: o.Quiet = False,
) -> None:
    """Compare models on cold, warm and all candidates, with intervals.

    Example: isotherm evaluate --interactions clicks.parquet --items items.parquet --protocol mixed
    --models popularity,content-knn,ease,marec --set marec.backbone.l2=100 -k 10,25 --json out.json
    """
    from isotherm.parameters import parse_settings

    logs = {"--interactions": interactions, "--train": train, "--test": test, "--valid": valid}
    chosen_settings = parse_settings(settings or [])
    inputs = {**logs, "--items": items, "--only-users": only_users, "--set": encoders(chosen_settings)}
    check_outputs(inputs, *results(json, report))

    from isotherm.data.tables import read_ids
    from isotherm.evaluation import evaluate as run

    ks = _lengths(k)
    names = _words(models)
    built = _Built(names, chosen_settings)
    chosen = {"holdout": holdout, "warm_holdout": warm_holdout, "fold_in": fold_in, "negatives": negatives}
    _check(seed, chosen, folds, candidates, _words(by))
    o.begin(quiet)
    log_columns = o.columns(user_column, item_column, rating_column, timestamp_column, weight_column)

    def read(path: Path) -> Any:
        return o.read_clicks(path, log_columns, min_rating, quiet)

    if protocol == "ramp-up":
        if interactions is None:
            raise ParameterError("--protocol ramp-up needs --interactions")
        _check_unused(
            "--protocol ramp-up:",
            {"--folds": folds, "--only-users": only_users, "--by": by, "--fields": fields}
            | {option: chosen[name] for name, option in _OWN.values()},
        )
        clicks, table = read(interactions), o.read_items(items, item_column, kinds, quiet)
        share = 0.2 if holdout is None else holdout
        _ramp_up(clicks, table, built, ks, share, seed, candidates, json, report, interactions.name)
        return
    split = _split(read, interactions, train, test, valid, protocol, folds, seed, chosen)
    asked: dict[str, Any] = {
        "candidates": candidates,
        "users": None if only_users is None else read_ids(only_users, user_column, InteractionsError),
        "by": _words(by),
        "fields": _words(fields) or None,
    }
    table = o.read_items(items, item_column, kinds, quiet)
    result = run(split, built.pairs(), table, ks, seed, **asked)
    for reason, n in result.split["dropped"].items():
        o.note(f"left out: {n:,} {reason}", quiet)
    source = str(interactions if interactions is not None else train)
    highlight = built.highlight(result, ks[0])
    _write(result, json, report, source, names, ks[0], highlight, built.importance(highlight))
    show_evaluation(result, ks)


def _write(
    result: Any,
    json: Path | None,
    report: Path | None,
    source: str,
    names: list[str],
    k: int,
    highlight: str,
    importance: Any,
) -> None:
    """The files that were asked for."""
    if json is not None:
        result.write_json(json)
    if report is not None:
        from isotherm.report import Report

        title = f"{', '.join(names)} on {Path(source).name}"
        Report(title, source, result, k, highlight, importance=importance).write(report)


def _ramp_up(
    clicks: Any,
    items: Any,
    built: "_Built",
    ks: list[int],
    holdout: float,
    seed: int,
    candidates: str,
    json: Path | None,
    report: Path | None,
    source: str,
) -> None:
    """New items with 0, 1, 2, 5, 10 and 20 clicks: figures on the terminal, in JSON and on a page."""
    from isotherm.evaluation import ramp_up

    result = ramp_up(clicks, built.pairs, items, ks=ks, holdout=holdout, seed=seed, candidates=candidates)
    if json is not None:
        result.write_json(json)
    if report is not None:
        from isotherm.report import RampReport

        RampReport(f"From cold to warm on {source}", source, result, ks[0]).write(report)
    show_ramp_up(result, f"hr@{ks[0]}")


class _Built:
    """The models of one evaluation: checked before any work, built one at a time."""

    def __init__(self, names: list[str], settings: dict[str, Any]) -> None:
        from isotherm.models.registry import model_class
        from isotherm.parameters import build

        if not names or len(set(names)) < len(names):
            raise ParameterError("--models takes distinct registry names, comma-separated")
        self._classes = {name: model_class(name) for name in names}
        self._settings: dict[str, dict[str, Any]] = {name: {} for name in names}
        for dotted, value in settings.items():
            name, _, rest = dotted.partition(".")
            if name not in self._classes or not rest:
                raise ParameterError(
                    f"--set {brief(dotted)}: in evaluate a setting begins with a model's name, like "
                    f"{names[0]}.…; the models are {', '.join(names)}"
                )
            self._settings[name][rest] = value
        self._build = build
        self._importance: dict[str, Any] = {}
        for _ in self.pairs():
            pass

    def pairs(self) -> Iterator[tuple[str, Any]]:
        """Name and a fresh model, one after the other, so that one is in memory."""
        for name, wanted in self._classes.items():
            model = self._build(wanted, self._settings[name])
            yield name, model
            if hasattr(model, "items_") and hasattr(model, "importance"):
                self._importance[name] = model.importance()
            del model

    def importance(self, highlight: str) -> Any:
        """What the highlighted model, or else the last that can say, learned of the metadata, or None."""
        return self._importance.get(highlight, next(reversed(self._importance.values()), None))

    def highlight(self, result: Any, k: int) -> str:
        """The model that ranks all candidates best."""
        return max(self._classes, key=lambda name: result.models[name].metrics["all"][f"ndcg@{k}"].mean)


def _lengths(text: str) -> list[int]:
    from isotherm.evaluation.prepared import lengths

    try:
        ks = [int(part) for part in text.split(",")]
    except ValueError as cause:
        raise ParameterError(f"-k takes whole numbers, comma-separated, not {brief(text)}") from cause
    return lengths(ks)


def _split(
    read: Any,
    interactions: Path | None,
    train: Path | None,
    test: Path | None,
    valid: Path | None,
    protocol: str | None,
    folds: int | None,
    seed: int,
    chosen: dict[str, Any],
) -> Any:
    """A split made by a protocol, its folds, or the user's own split."""
    from isotherm.data.folds import k_fold
    from isotherm.data.splits import SPLITS, given

    if (interactions is None) == (train is None and test is None):
        raise ParameterError("evaluate needs either --interactions with --protocol, or --train with --test")
    if interactions is None:
        if train is None or test is None:
            raise ParameterError("--train and --test go together")
        if protocol not in (None, "strong"):
            raise ParameterError(
                f"--train and --test are a split already; --protocol {protocol} does not apply"
            )
        others = {option: chosen[name] for name, option in _OWN.values() if name != "fold_in"}
        _check_unused(
            "--train and --test are a split already:",
            {"--folds": folds, "--holdout": chosen["holdout"], **others},
        )
        logs = (read(train), read(test), None if valid is None else read(valid))
        share = 0.8 if chosen["fold_in"] is None else chosen["fold_in"]
        return given(*logs, strong=protocol == "strong", seed=seed, fold_in=share)
    if protocol not in SPLITS:
        raise ParameterError(f"--protocol must be one of {', '.join(SPLITS)} or ramp-up, not {protocol!r}")
    if valid is not None:
        raise ParameterError("--valid goes with --train and --test")
    others = {option: chosen[name] for of, (name, option) in _OWN.items() if of != protocol}
    _check_unused(f"--protocol {protocol}:", others)
    own, _ = _OWN.get(protocol, (None, ""))
    extra = {} if own is None or chosen[own] is None else {own: chosen[own]}
    if folds is not None:
        _check_unused("--folds hides every item or user once:", {"--holdout": chosen["holdout"]})
        return k_fold(read(interactions), protocol, folds, seed, **extra)
    share = 0.2 if chosen["holdout"] is None else chosen["holdout"]
    return SPLITS[protocol](read(interactions), holdout=share, seed=seed, **extra)


def _check(seed: int, chosen: dict[str, Any], folds: int | None, candidates: str, by: list[str]) -> None:
    """Find out what is no possible value before the log is read."""
    from isotherm.checks import one_of, seeded, whole
    from isotherm.data.splits import share_of
    from isotherm.evaluation.groups import LABELS
    from isotherm.evaluation.prepared import CANDIDATES

    seeded("seed", seed)
    if chosen["negatives"] is not None:
        whole("negatives", chosen["negatives"], 0)
    for name in ("holdout", "warm_holdout", "fold_in"):
        if chosen[name] is not None:
            share_of(name, chosen[name])
    if folds is not None:
        whole("folds", folds, 2)
    one_of("candidates", candidates, CANDIDATES)
    for grouping in by:
        one_of("by", grouping, tuple(LABELS))


def _check_unused(where: str, options: dict[str, Any]) -> None:
    """Refuse options that would have no effect."""
    given = [name for name, value in options.items() if value is not None and value != ""]
    if given:
        raise ParameterError(f"{where} {' and '.join(given)} {'does' if len(given) == 1 else 'do'} not apply")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
