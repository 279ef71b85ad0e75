"""Results on a terminal."""

from typing import Any

_SETS = ("cold", "warm", "all")


def show_evaluation(evaluation: Any, ks: list[int]) -> None:
    """The table of evaluate and demo: candidate sets × models, means with 95% intervals, seconds to fit."""
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
                *(f"{v.mean:.4f} [dim]\\[{v.low:.4f}, {v.high:.4f}][/dim]" for v in values),
                f"{result.seconds:.2f}",
                end_section=number == len(tested) - 1,
            )
    _print(table)


def show_ramp_up(ramp: Any, metric: str) -> None:
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


def show_table(names: list[str], rows: list[list[str]]) -> None:
    """Text: the first column says what, the others are figures."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for number, name in enumerate(names):
        table.add_column(escape(name), justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(escape, row))
    _print(table)


def _print(table: Any) -> None:
    """Whole, however narrow the terminal: figures are never cut."""
    from rich.console import Console

    needed = Console(width=10_000).measure(table).maximum
    Console(width=max(Console().width, needed)).print(table)
