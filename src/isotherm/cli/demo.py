"""isotherm demo"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isotherm.cli import options as o
from isotherm.cli.outputs import OutputFolder, check_outputs, saved_model
from isotherm.cli.results import show_evaluation
from isotherm.folders import DEMO, MODEL, check_folder
from isotherm.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl

    from isotherm.data import Interactions, Items
    from isotherm.data.hidden_clicks import Split
    from isotherm.models.kernel_ridge.model import KernelRidge
    from isotherm.report import Report

_OTHERS = ("popularity", "content-knn", "ease", "marec")
_IN_TIME = ("content-knn", "ease", "marec")
_ITEMS = "items.parquet"
_K = 10


def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the demo writes.")] = Path("out"),
    seed: Annotated[int, typer.Option(help="For the split and the intervals.")] = 0,
    quiet: o.Quiet = False,
) -> None:
    """The main job on MovieLens-100K: hide a fifth of the films, recommend them, measure, explain.

    Then the same as life has it: trained on the earlier 80% of the ratings, asked by the users who came next.
    Writes report.html, report-in-time.html, evaluation.json, evaluation-in-time.json, items.parquet,
    recommendations.parquet and the model.

    Example: isotherm demo --out out
    """
    check_outputs({}, OutputFolder("--out", out, DEMO))
    check_folder(out / "model", MODEL)

    from isotherm.data.datasets import dataset

    o.begin(quiet)
    loaded = dataset("ml-100k").load()
    o.note(f"MovieLens-100K from {loaded.origin}", quiet)
    clicks, items = loaded.interactions(), loaded.item_table()
    source = f"{loaded.dataset.title}; every rating counts as a click"
    best, report = _at_random(clicks, items, source, seed, quiet)
    reports = {"": report}
    if clicks.timestamps is not None:
        reports["-in-time"] = _in_time(clicks, items, source, seed)
    tables = {"recommendations.parquet": best.recommend(k=_K), _ITEMS: items.to_frame()}
    _save(out, loaded.dataset.name, reports, tables)
    best.save(out / "model")
    _show(reports.values(), quiet)
    o.note(
        f"written to {out}: reports, evaluations as JSON, recommendations, items and the model",
        quiet,
    )


def check_demo_folder(out: Path) -> None:
    """Raise OutputError or the folder's error where the demo cannot be written to ``out``."""
    check_outputs({}, OutputFolder("--demo", out, DEMO))
    check_folder(out / "model", MODEL)


def demo_model(out: Path, quiet: bool) -> tuple[Path, Path]:
    """The folder of the demo's model and the file of its items in ``out``; made where they are missing."""
    model, items = out / "model", out / _ITEMS
    if saved_model(model) and items.exists():
        return model, items
    from isotherm.data.datasets import dataset
    from isotherm.models.kernel_ridge.model import KernelRidge

    loaded = dataset("ml-100k").load()
    o.note(f"the demo's model on MovieLens-100K from {loaded.origin} is made in {out}", quiet)
    table = loaded.item_table()
    _add_items(out, loaded.dataset.name, table)
    if not saved_model(model):
        KernelRidge().fit(_split(loaded.interactions(), 0).train, table).save(model)
    return model, items


def _split(clicks: "Interactions", seed: int) -> "Split":
    """A random fifth of the films is new."""
    from isotherm.data.splits import mixed

    return mixed(clicks, holdout=0.2, seed=seed)


def _add_items(out: Path, dataset: str, items: "Items") -> None:
    """Write the items to ``out``; what the demo wrote there before stays."""
    from isotherm.files import streamed
    from isotherm.folders import manifest_of, saving

    with saving(out, DEMO) as folder:
        before = manifest_of(out, DEMO) or {}
        digest = folder.fixed(_ITEMS, streamed(items.to_frame().write_parquet))
        files = {**before.get("files", {}), _ITEMS: digest}
        folder.commit({"isotherm": __version__, "demo": dataset, **before, "files": files})


def _at_random(
    clicks: "Interactions", items: "Items", source: str, seed: int, quiet: bool
) -> "tuple[KernelRidge, Report]":
    """The recommended model and the others where a random fifth of the films is new."""
    from isotherm.evaluation import evaluate
    from isotherm.models.kernel_ridge.model import KernelRidge
    from isotherm.models.registry import model_class
    from isotherm.report import Report, example_users

    split = _split(clicks, seed)
    o.note(f"{clicks!r}; hidden: {int(split.cold.sum())} new films whole, a tenth of the other clicks", quiet)
    best = KernelRidge()
    models = {**{name: model_class(name)() for name in _OTHERS}, best.name: best}
    return best, Report(
        title="Recommending films that nobody has clicked yet",
        source=source,
        evaluation=evaluate(split, models, items, ks=[_K], seed=seed),
        k=_K,
        highlight=best.name,
        examples=example_users(best, split, items, seed=seed),
        importance=best.importance(),
    )


def _show(reports: "Iterable[Report]", quiet: bool) -> None:
    """Tables on the terminal, each under its title."""
    for report in reports:
        o.note(report.title, quiet)
        show_evaluation(report.evaluation, [_K])


def _in_time(clicks: "Interactions", items: "Items", source: str, seed: int) -> "Report":
    """The models that know new films, and EASE, where the newest 20% of the clicks are to be found."""
    from isotherm.data.splits import temporal
    from isotherm.evaluation import evaluate
    from isotherm.models.kernel_ridge.model import KernelRidge
    from isotherm.models.registry import model_class
    from isotherm.report import Report

    best = KernelRidge()
    models = {**{name: model_class(name)() for name in _IN_TIME}, best.name: best}
    result = evaluate(temporal(clicks, seed=seed), models, items, ks=[_K], seed=seed)
    title = "The same as life has it: what the users clicked next"
    return Report(title, source, result, _K, best.name, importance=best.importance())


def _save(
    out: Path, dataset: str, reports: "Mapping[str, Report]", tables: "Mapping[str, pl.DataFrame]"
) -> None:
    """Everything but the model, whole or not at all.  reports: by what their files' names end in."""
    from isotherm.files import json_writer, streamed, text_writer
    from isotherm.folders import saving

    writers = {name: streamed(table.write_parquet) for name, table in tables.items()}
    for ending, report in reports.items():
        writers[f"report{ending}.html"] = text_writer(report.html())
        writers[f"evaluation{ending}.json"] = json_writer(report.evaluation.to_dict())
    with saving(out, DEMO) as folder:
        files = {name: folder.fixed(name, write) for name, write in writers.items()}
        folder.commit({"isotherm": __version__, "demo": dataset, "files": files})
