"""Results on a terminal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import polars as pl
    from rich.table import Table

    from isotherm.evaluation import Evaluation, Interval, RampUp

_SETS = ("cold", "warm", "all")
_LIST_MEASURES = ("diversity", "calibration-kl", "calibration-js", "novelty")
_LEGEND = """\
hr@k is capped recall, hits / min(k, clicks to find); hit_rate@k is 1 if any of the k is a hit;
recall@k is hits / clicks to find. Means over users, with 95% intervals over users (bootstrap).
"""
_LEGEND_OF_NEW = """\
new_share@k is the share of new items in the lists of all candidates; beside it their share of the
clicks to find. cold: new items ranked among new items.
"""


def show_evaluation(evaluation: "Evaluation", ks: list[int]) -> None:
    """Tables of evaluate and demo: how well each model ranks, what its lists are like, groups; warnings."""
    for k in ks:
        _show_ranking("candidates", _rows_of_sets(evaluation), k)
    typer.echo(_LEGEND)
    _show_exposure(evaluation, ks)
    if evaluation.split.get("metadata"):
        _show_lists(evaluation, ks[0])
    if "folds" in evaluation.split:
        _show_folds(evaluation, f"ndcg@{ks[0]}")
    for by in _grouped(evaluation):
        _show_ranking(f"by {by}", _rows_of_groups(evaluation, by), ks[0])
    for warning in evaluation.warnings:
        typer.echo(f"warning: {warning}", err=True)


def _grouped(evaluation: "Evaluation") -> list[str]:
    """The groupings that were asked for."""
    return list(dict.fromkeys(by for result in evaluation.models.values() for by in result.groups))


@dataclass(frozen=True)
class _Row:
    """What is asked of all models alike, and how well each does it."""

    label: str
    facts: Mapping[str, Any]  #: users; clicks to find, and new items' share of them, where there are any
    metrics: Mapping[str, Mapping[str, "Interval | float"]]  #: model -> metric -> value

    def told(self) -> list[str]:
        """The label and the facts, a line each."""
        from isotherm.data.wording import counted

        lines = [f"[bold]{self.label}[/bold]", counted(self.facts["users"], "user")]
        if "clicks" in self.facts:
            lines.append(counted(self.facts["clicks"], "click"))
        if "new_item_share" in self.facts:
            lines.append(f"{self.facts['new_item_share']:.1%} on new")
        return lines


def _rows_of_sets(evaluation: "Evaluation") -> list[_Row]:
    """A row for each candidate set."""
    described = evaluation.split["candidates"]
    return [
        _Row(
            name,
            described[name],
            {
                model: result.metrics[name]
                for model, result in evaluation.models.items()
                if name in result.metrics
            },
        )
        for name in _SETS
        if name in described
    ]


def _rows_of_groups(evaluation: "Evaluation", by: str) -> list[_Row]:
    """A row for each group, among all candidates."""
    described = evaluation.split.get("groups", {}).get(by, {})
    first = next(iter(evaluation.models.values())).groups[by]["all"]
    return [
        _Row(
            label,
            {**described.get(label, {}), "users": group.users},
            {model: result.groups[by]["all"][label].metrics for model, result in evaluation.models.items()},
        )
        for label, group in first.items()
    ]


def _show_ranking(title: str, rows: Iterable[_Row], k: int) -> None:
    """Rows × models: hr and ndcg with intervals, plain hit rate, recall."""
    table = _bare_table()
    table.add_column(title, no_wrap=True)
    table.add_column("model", no_wrap=True)
    headers = {"hr": f"hr@{k}\ncapped recall", "ndcg": f"ndcg@{k}\n", "hit_rate": f"hit_rate\n@{k}"}
    for header in (*headers.values(), f"recall\n@{k}"):
        table.add_column(header, justify="right", no_wrap=True)
    for row in rows:
        columns = [
            [_with_interval(metrics[f"{name}@{k}"]) for metrics in row.metrics.values()]
            for name in ("hr", "ndcg")
        ] + [
            [f"{_mean(metrics[f'{name}@{k}']):.4f}" for metrics in row.metrics.values()]
            for name in ("hit_rate", "recall")
        ]
        cells = [row.told(), list(row.metrics), *columns]
        table.add_row(*("\n".join(lines) for lines in cells), end_section=True)
    _print(table)


def _with_interval(value: "Interval | float") -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value.mean:.4f} [dim]\\[{value.low:.4f}, {value.high:.4f}][/dim]"


def _mean(value: "Interval | float") -> float:
    return value if isinstance(value, float) else value.mean


def _show_folds(evaluation: "Evaluation", metric: str) -> None:
    """One metric fold by fold, by candidates and model, with mean and spread."""
    from isotherm.evaluation.over_folds import fold_labels

    folds = evaluation.split["folds"]
    labels = fold_labels(folds)
    asked = ["users", "", *(f"{fold['candidates']['all']['users']:,}" for fold in folds), "", ""]
    rows = [asked]
    for candidates in _SETS:
        tested = [name for name, each in evaluation.models.items() if candidates in each.folds]
        for number, model in enumerate(tested):
            figures = evaluation.models[model].folds[candidates][metric]
            values = ["" if value is None else f"{value:.4f}" for value in figures.values]
            summary = [f"{figures.mean:.4f}", f"{figures.spread:.4f}"]
            rows.append([candidates if number == 0 else "", model, *values, *summary])
    what = "cut" if "cut" in folds[0] else "fold" if "fold" in folds[0] else "split"
    show_table([f"{metric} by {what}", "model", *labels, f"mean of\n{what}s", "spread"], rows, words=2)
    typer.echo(f"spread: standard deviation between {what}s; each {what} counts alike in their mean.\n")


def _show_exposure(evaluation: "Evaluation", ks: list[int]) -> None:
    """By model: seconds to fit, what is shown among all candidates, and new items among themselves."""
    clicks = evaluation.split["candidates"]["all"].get("new_item_share")
    names = ["model", "fit, s"]
    if clicks is not None:
        names += [*(f"new_share\n@{k}" for k in ks), "of the\nclicks"]
    names += [f"coverage\n@{k}" for k in ks]
    with_cold = any("cold" in result.metrics for result in evaluation.models.values())
    if with_cold:
        names += [f"cold\n{name}@{ks[0]}" for name in ("hr", "ndcg")]
    rows = []
    for model, result in evaluation.models.items():
        row = [model, f"{result.seconds:.2f}"]
        if clicks is not None:
            row += [*(f"{result.mean('all', f'new_share@{k}'):.1%}" for k in ks), f"{clicks:.1%}"]
        row += [f"{result.mean('all', f'coverage@{k}'):.1%}" for k in ks]
        if with_cold:
            row += [f"{result.mean('cold', f'{name}@{ks[0]}'):.4f}" for name in ("hr", "ndcg")]
        rows.append(row)
    show_table(names, rows)
    if clicks is not None:
        typer.echo(_LEGEND_OF_NEW)


def _show_lists(evaluation: "Evaluation", k: int) -> None:
    """What the lists of all candidates are like; a measure that says nothing is left empty."""
    names = [f"{name}@{k}" for name in _LIST_MEASURES]
    rows = []
    for model, result in evaluation.models.items():
        known = result.metrics["all"]
        means = [result.mean("all", name) if name in known else None for name in names]
        rows.append([model, *("" if mean is None else f"{mean:.3f}" for mean in means)])
    show_table(["all candidates", *names], rows)


def show_ramp_up(ramp: "RampUp", metric: str) -> None:
    """One metric by candidates, model and clicks given."""
    table = _bare_table(f"{metric} by the clicks that each new item has got")
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
    from rich.markup import escape

    table = _bare_table()
    for number, name in enumerate(names):
        table.add_column(escape(name), justify="right" if number >= words else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(escape, row))
    _print(table)


def show_frame(frame: "pl.DataFrame", words: int = 1) -> None:
    """A frame as a table: words in the first columns, figures in the others."""
    from isotherm.data.wording import one_line

    rows = [
        [one_line(_word(cell)) if n < words else f"{cell:.4g}" for n, cell in enumerate(row)]
        for row in frame.iter_rows()
    ]
    show_table(frame.columns, rows, words)


def _word(cell: Any) -> str:
    """Nothing where nothing is known; yes and no of flags."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return "" if cell is None else str(cell)


def plain_rows(frame: "pl.DataFrame") -> list[dict[str, Any]]:
    """The rows of a frame as plain JSON; ids that are neither text nor numbers as text."""
    return [
        {
            name: value if value is None or isinstance(value, str | int | float) else str(value)
            for name, value in row.items()
        }
        for row in frame.rows(named=True)
    ]


def _bare_table(title: str | None = None) -> "Table":
    """A table without columns yet, in the style of all tables."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), title=title)


def _print(table: "Table") -> None:
    """Whole, however narrow the terminal: figures are never cut."""
    from rich.console import Console

    needed = Console(width=10_000).measure(table).maximum
    console = Console(width=max(Console().width, needed))
    console.print(table)
    console.print()
