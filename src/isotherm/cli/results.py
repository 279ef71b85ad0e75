"""Results on a terminal."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl
    from rich.table import Table

    from isotherm.evaluation import Evaluation, Interval, RampUp

_SETS = ("cold", "warm", "all")
_LIST_MEASURES = ("diversity", "calibration-kl", "calibration-js", "novelty", "coverage")


def show_evaluation(evaluation: "Evaluation", ks: list[int]) -> None:
    """Tables of evaluate and demo: how well each model ranks, what its lists are like, and groups."""
    _show_ranking(evaluation, ks)
    if evaluation.split.get("metadata"):
        _show_lists(evaluation, ks[0])
    for by in _grouped(evaluation):
        _show_groups(evaluation, by, ks[0])


def _grouped(evaluation: "Evaluation") -> list[str]:
    """The groupings that were asked for."""
    return list(dict.fromkeys(by for result in evaluation.models.values() for by in result.groups))


def _show_ranking(evaluation: "Evaluation", ks: list[int]) -> None:
    """Candidate sets × models, means with 95% intervals, seconds to fit."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    metrics = [f"{name}@{k}" for k in ks for name in ("hr", "ndcg")]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("candidates", no_wrap=True)
    table.add_column("model", no_wrap=True)
    for metric in metrics:
        table.add_column(metric, justify="right", no_wrap=True)
    table.add_column("fit, s", justify="right")
    for candidates in _SETS:
        tested = {name: result for name, result in evaluation.models.items() if candidates in result.metrics}
        for number, (name, result) in enumerate(tested.items()):
            values = [result.metrics[candidates][metric] for metric in metrics]
            table.add_row(
                candidates if number == 0 else "",
                name,
                *map(_with_interval, values),
                f"{result.seconds:.2f}",
                end_section=number == len(tested) - 1,
            )
    _print(table)


def _with_interval(value: "Interval | float") -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value.mean:.4f} [dim]\\[{value.low:.4f}, {value.high:.4f}][/dim]"


def _show_lists(evaluation: "Evaluation", k: int) -> None:
    """What the lists of all candidates are like; a measure that says nothing is left empty."""
    names = [f"{name}@{k}" for name in _LIST_MEASURES]
    rows = []
    for model, result in evaluation.models.items():
        known = result.metrics["all"]
        means = [result.mean("all", name) if name in known else None for name in names]
        rows.append([model, *("" if mean is None else f"{mean:.3f}" for mean in means)])
    show_table(["all candidates", *names], rows)


def _show_groups(evaluation: "Evaluation", by: str, k: int) -> None:
    """Groups × models among all candidates: users, hr and ndcg."""
    first = next(iter(evaluation.models.values())).groups[by]["all"]
    metrics = [f"hr@{k}", f"ndcg@{k}"]
    rows = []
    for label in first:
        for number, (model, result) in enumerate(evaluation.models.items()):
            group = result.groups[by]["all"][label]
            means = [f"{group.metrics[metric].mean:.4f}" for metric in metrics]
            rows.append([label if number == 0 else "", model, f"{group.users:,}", *means])
    show_table([f"by {by}", "model", "users", *metrics], rows, words=2)


def show_ramp_up(ramp: "RampUp", metric: str) -> None:
    """One metric by candidates, model and clicks given."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), title=f"{metric} by clicks of a new item")
    for name in ("candidates", "model"):
        table.add_column(name, no_wrap=True)
    for n in ramp.split["steps"]:
        table.add_column(str(n), justify="right", no_wrap=True)
    for candidates in ("cold", "all"):
        for number, (name, steps) in enumerate(ramp.values.items()):
            cells = (f"{sets[candidates][metric].mean:.4f}" for sets in steps.values())
            table.add_row(
                candidates if number == 0 else "", name, *cells, end_section=number == len(ramp.values) - 1
            )
    _print(table)


def show_table(names: list[str], rows: list[list[str]], words: int = 1) -> None:
    """Text: the first columns, so many as ``words``, say what; the others are figures."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for number, name in enumerate(names):
        table.add_column(escape(name), justify="right" if number >= words else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(escape, row))
    _print(table)


def show_frame(frame: "pl.DataFrame") -> None:
    """A frame as a table: names in the first column, figures in the others."""
    rows = [[str(name), *(f"{figure:.4g}" for figure in figures)] for name, *figures in frame.iter_rows()]
    show_table(frame.columns, rows)


def plain_rows(frame: "pl.DataFrame") -> list[dict[str, Any]]:
    """The rows of a frame as plain JSON; ids that are neither text nor numbers as text."""
    return [
        {name: value if isinstance(value, str | int | float) else str(value) for name, value in row.items()}
        for row in frame.rows(named=True)
    ]


def _print(table: "Table") -> None:
    """Whole, however narrow the terminal: figures are never cut."""
    from rich.console import Console

    needed = Console(width=10_000).measure(table).maximum
    Console(width=max(Console().width, needed)).print(table)
