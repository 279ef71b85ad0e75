"""Writes docs/reference.md from docstrings and help texts, so that it says exactly what they say."""

import inspect
import re
from pathlib import Path

from typer.testing import CliRunner

import isotherm
from isotherm import geometry
from isotherm.cli.app import app
from isotherm.cli.fit import described
from isotherm.data import folds, splits
from isotherm.evaluation import Evaluation
from isotherm.models.base import Recommender
from isotherm.models.registry import REGISTRY, model_class
from isotherm.models.vae.base import VAERecommender

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
]
SPLITS = ["cold_items", "mixed", "strong", "leave_one_out", "temporal", "given"]
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
    parts = [
        "# Reference",
        "",
        "Written by `make docs` from docstrings and help texts.",
        "",
        "## Command line",
        "",
    ]
    for command in COMMANDS:
        shown = CliRunner().invoke(
            app, [*command.split(), "--help"], terminal_width=100, prog_name="isotherm"
        )
        help_text = "\n".join(line.rstrip() for line in shown.output.strip().splitlines())
        parts += [f"### isotherm {command}", "", "```", help_text, "```", ""]
    parts += ["## Models", "", "### The contract", ""]
    parts += [_function(Recommender, name) for name in CONTRACT]
    for name in REGISTRY:
        parts += [f"### {name}", "", "```", described(model_class(name)), "```", ""]
    parts += ["### What the VAEs' fit takes more", "", _function(VAERecommender, "fit")]
    parts += [_function(VAERecommender, "posterior"), "## Data", ""]
    for owner, names in (
        (isotherm.Interactions, ["read", "from_frame", "from_csr", "store", "open"]),
        (isotherm.Items, ["read", "from_frame"]),
    ):
        parts += [f"### {owner.__name__}", "", inspect.getdoc(owner) or "", ""]
        parts += [_function(owner, name) for name in names]
    parts += ["### Splits", "", inspect.getdoc(splits) or "", ""]
    parts += [_function(splits, name) for name in SPLITS] + [_function(folds, "k_fold")]
    parts += ["## Evaluation", "", _function(isotherm, "evaluate")]
    parts += [_function(Evaluation, name) for name in ("to_dict", "write_json", "to_frame", "groups_frame")]
    parts += [_function(isotherm, "ramp_up")]
    parts += ["## Geometry", "", inspect.getdoc(geometry) or "", ""]
    for name in geometry.__all__:
        made = getattr(geometry, name)
        if inspect.isclass(made):
            parts += [f"### {name}", "", inspect.getdoc(made) or "", ""]
        else:
            parts += [_function(geometry, name)]
    return "\n".join(parts).rstrip() + "\n"


def _function(owner: object, name: str) -> str:
    function = getattr(owner, name)
    prefix = "" if inspect.ismodule(owner) else f"{owner.__name__}."
    signature = re.sub(r"isotherm\.[a-z_.]+\.", "", str(inspect.signature(function)))
    signature = (
        signature.replace("collections.abc.", "")
        .replace("polars.dataframe.frame.", "pl.")
        .replace("typing.", "")
    )
    return f"**`{prefix}{name}{signature}`**\n\n{inspect.getdoc(function)}\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
