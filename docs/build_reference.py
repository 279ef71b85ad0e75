"""Writes docs/reference.md from docstrings and help texts, so that it says exactly what they say."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from typer.testing import CliRunner

import isotherm
from isotherm import evaluation, geometry
from isotherm.cli.app import app
from isotherm.data import Split, folds, repeated, splits
from isotherm.models.base import Recommender
from isotherm.models.fit_inputs import FitOptions
from isotherm.models.parameter_docs import ParameterDoc, choices_of, description, parameter_docs, settings_of
from isotherm.models.registry import REGISTRY, model_class
from isotherm.models.vae.base import VAERecommender
from isotherm.parameters import part_choices

COMMANDS = [
    "demo",
    "fit",
    "recommend",
    "similar",
    "explain",
    "evaluate",
    "geometry",
    "sweep",
    "datasets list",
    "datasets info",
    "datasets get",
    "events export",
    "refit",
    "experiment design",
    "experiment analyze",
    "experiment offpolicy",
    "experiment demo",
]
MOST_TOLD = ["evaluate", "ramp_up", "Evaluation", "ModelResult"]  # of the evaluation, told first
TARGET = Path(__file__).parent / "reference.md"
CONTRACT = [
    "fit",
    "refit",
    "recommend",
    "recommend_for",
    "score",
    "score_pairs",
    "similar_items",
    "similar_users",
    "explain",
    "add_items",
    "save",
]


def text() -> str:
    """The whole page."""
    lines = ["# Reference", "", "Written by `make docs` from docstrings and help texts.", ""]
    lines += ["`isotherm.__version__` is the version.", ""]
    lines += [*_commands(), *_models(), *_data(), *_evaluation(), *_geometry()]
    return "\n".join(lines).rstrip() + "\n"


def _commands() -> list[str]:
    lines = ["## Command line", ""]
    for command in COMMANDS:
        shown = CliRunner().invoke(
            app, [*command.split(), "--help"], terminal_width=100, prog_name="isotherm"
        )
        help_text = "\n".join(line.rstrip() for line in shown.output.strip().splitlines())
        lines += [f"### isotherm {command}", "", "```", help_text, "```", ""]
    return lines


def _models() -> list[str]:
    lines = ["## Models", "", "### The contract", ""]
    lines += [_function(Recommender, name) for name in CONTRACT]
    lines += [_function(isotherm, "load")]
    lines += _class(FitOptions)
    for name in REGISTRY:
        lines += [f"### {name}", "", *_model(model_class(name))]
    return [*lines, "### What the VAEs can besides", "", _function(VAERecommender, "posterior")]


def _data() -> list[str]:
    lines = ["## Data", ""]
    for owner, names in (
        (isotherm.Interactions, ["read", "from_frame", "from_csr", "store", "open"]),
        (isotherm.Columns, []),
        (isotherm.Items, ["read", "from_frame"]),
    ):
        lines += [*_class(owner), *(_function(owner, name) for name in names)]
    return [*lines, *_splits()]


def _splits() -> list[str]:
    """What to train on and what to find."""
    lines = ["## Splits", "", _prose(splits), "", *_record(Split)]
    functions = [(splits, name) for name in splits.__all__ if name != "SPLITS"]
    functions += [(folds, "k_fold"), (repeated, "repeated")]
    lines += [_function(module, name) for module, name in functions]
    protocols = ", ".join(f"`{name}` {function.__name__}" for name, function in splits.SPLITS.items())
    return [*lines, f"**`SPLITS`**\n\nProtocol of `isotherm evaluate` -> function: {protocols}.\n"]


def _evaluation() -> list[str]:
    """The functions, and what they give."""
    lines = ["## Evaluation", ""]
    for name in [*MOST_TOLD, *(name for name in evaluation.__all__ if name not in MOST_TOLD)]:
        exported = getattr(evaluation, name)
        lines += _record(exported) if inspect.isclass(exported) else [_function(evaluation, name)]
    return lines


def _geometry() -> list[str]:
    lines = ["## Geometry", "", _prose(geometry), ""]
    for name in geometry.__all__:
        exported = getattr(geometry, name)
        lines += _class(exported) if inspect.isclass(exported) else [_function(geometry, name)]
    return lines


def _class(owner: type) -> list[str]:
    """What a class is, and a table of its documented parameters."""
    return [
        f"### {owner.__name__}",
        "",
        _fenced(description(owner)),
        "",
        *_table(parameter_docs(owner).items()),
    ]


def _record(owner: type) -> list[str]:
    """A class that holds results: what it is, its fields, what it can."""
    lines = [f"### {owner.__name__}", "", _prose(owner), ""]
    rows = [f"| `{name}` | {kind} | {text} |" for name, kind, text in fields_of(owner)]
    if rows:
        lines += ["| field | type | what it is |", "|---|---|---|", *rows, ""]
    for name, member in vars(owner).items():
        if not name.startswith("_") and isinstance(member, property):
            lines += [f"**`{owner.__name__}.{name}`**\n\n{_prose(member)}\n"]
        elif not name.startswith("_") and inspect.isfunction(inspect.unwrap(getattr(owner, name))):
            lines += [_function(owner, name)]
    return lines


def fields_of(owner: type) -> Iterator[tuple[str, str, str]]:
    """Name, annotation and comment (``#: …``) of the public fields of a dataclass, as its source has them."""
    source = textwrap.dedent(inspect.getsource(owner))
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
    for each in definition.body:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            last = source.splitlines()[(each.end_lineno or each.lineno) - 1]
            text = last.partition("#: ")[2]
            if not each.target.id.startswith("_"):
                kind = ast.unparse(each.annotation).strip("'").replace("|", "\\|")
                yield each.target.id, f"`{kind}`", text.replace("|", "\\|")


def _model(wanted: type) -> list[str]:
    """What a model is, a table of its settings, and what these may be chosen from."""
    lines = [_fenced(description(wanted)), "", _in_python(wanted), ""]
    lines += _table(settings_of(wanted))
    for title, text in choices_of(wanted):
        lines += [f"**`{title}`**: {_fenced(text)}", ""]
    return lines


def _in_python(wanted: type) -> str:
    """The names of a model and of its parts in Python."""
    parts = {
        name: [each.__name__ for each in choices.values() if each.__name__ in isotherm.__all__]
        for name, choices in part_choices(wanted).items()
        if not set(choices) <= set(REGISTRY)
    }
    told = [f"`{name}`: {', '.join(f'`{each}`' for each in parts[name])}" for name in parts if parts[name]]
    return f"In Python: `isotherm.{wanted.__name__}`{'; for ' if told else ''}{'; '.join(told)}."


def _table(settings: Iterable[tuple[str, ParameterDoc]]) -> list[str]:
    """A row a setting; no table where there is none."""
    rows = []
    for name, entry in settings:
        said = (f"`{name}`", entry.range, entry.default or "required", entry.text)
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in said)} |")
    return ["| setting | range | default | what it is |", "|---|---|---|---|", *rows, ""] if rows else []


def _function(owner: object, name: str) -> str:
    function = getattr(owner, name)
    prefix = "" if inspect.ismodule(owner) else f"{owner.__name__}."
    return f"**`{prefix}{name}{_signature(function)}`**\n\n{_prose(function)}\n"


class _Annotation(str):
    """An annotation that is shown as the source has it: ``Scores``, not what it stands for."""

    def __repr__(self) -> str:
        return str(self)


def _signature(function: Callable[..., object]) -> str:
    """The arguments of a function as its source annotates them, without self."""
    written = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(written, ast.FunctionDef)
    arguments = [*written.args.posonlyargs, *written.args.args, *written.args.kwonlyargs]
    arguments += [each for each in (written.args.vararg, written.args.kwarg) if each is not None]
    annotations = {a.arg: _annotation(a.annotation) for a in arguments if a.annotation is not None}
    signature = inspect.signature(function)
    shown = [
        parameter.replace(annotation=annotations.get(parameter.name, parameter.empty))
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    returns = signature.empty if written.returns is None else _annotation(written.returns)
    return str(signature.replace(parameters=shown, return_annotation=returns))


def _annotation(written: ast.expr) -> _Annotation:
    return _Annotation(ast.unparse(written).strip("'"))


def _prose(owner: object) -> str:
    return _fenced(inspect.getdoc(owner) or "")


def _fenced(docstring: str) -> str:
    """A docstring as Markdown: its examples are blocks of code, its tables of modules lists."""
    return "\n\n".join(map(_paragraph, docstring.split("\n\n")))


def _paragraph(text: str) -> str:
    if text.startswith(">>> "):
        return f"```pycon\n{text}\n```"
    rows = [re.fullmatch(r"(\w+) {2,}(.+)", line) for line in text.splitlines()]
    return "\n".join(f"* `{row[1]}`: {row[2]}" for row in rows if row) if all(rows) else text


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
