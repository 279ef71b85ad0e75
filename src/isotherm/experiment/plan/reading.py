"""A plan as JSON: strictly read, and written again as it is kept."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from isotherm.errors import ParameterError, brief, shown_path
from isotherm.experiment.plan.arms import Arm, Exploration, Settings
from isotherm.experiment.plan.experiment import Experiment
from isotherm.experiment.plan.times import Ramp, RampStep, seconds
from isotherm.untrusted import DamagedError, read_json

_KEYS = (
    "name", "salt", "layer", "span", "arms", "ramp", "holdout", "overrides", "start", "end", "exploration",
    "kind",
)  # fmt: skip
_WORDS = {
    str: "a text", list: "a list", dict: "an object", float: "a number", int: "a whole number",
}  # fmt: skip
_BETA = (
    "beta is what a model was fitted with (the weight of KL, or of the alignment): no model can change it "
    'while it serves; fit a model for each beta, and name it as the "model" of the arm'
)


def read_plan(file: str | os.PathLike[str]) -> Experiment:
    """The experiment in a JSON file; folders of models in it are relative to the folder of the file.

    Raises ParameterError that names the file, the key and the cure.
    """
    place = shown_path(file)
    try:
        document = read_json(Path(file))
    except (OSError, ValueError) as cause:
        if isinstance(cause, DamagedError):
            raise ParameterError(f"{place}: {cause}; write the plan as JSON") from cause
        words = getattr(cause, "strerror", None) or str(cause)
        raise ParameterError(f"{place}: cannot be read ({words}); name the file of a plan") from cause
    try:
        return experiment_of(document, Path(file).parent)
    except ParameterError as cause:
        raise ParameterError(f"{place}: {cause}") from cause


def experiment_of(document: Any, folder: str | os.PathLike[str] = "") -> Experiment:
    """The experiment of a JSON document.  folder: to which folders of models are relative.

    Raises ParameterError that begins with the key of what is wrong.
    """
    given = _object("the plan", document, _KEYS, needed=("name", "arms"))
    arms = tuple(
        _arm(f"arms[{n}]", each, folder) for n, each in enumerate(_typed("arms", given["arms"], list))
    )
    more: dict[str, Any] = {}
    for name, kind in (("salt", str), ("layer", str), ("kind", str), ("holdout", float)):
        if given.get(name) is not None:
            more[name] = _typed(name, given[name], kind)
    for name in ("start", "end"):
        if given.get(name) is not None:
            more[name] = seconds(name, given[name])
    for name, read in (
        ("span", _span),
        ("ramp", _ramp),
        ("overrides", _overrides),
        ("exploration", _explored),
    ):
        if given.get(name) is not None:
            more[name] = read(given[name])
    return Experiment(_typed("name", given["name"], str), arms, **more)


def plan_of(experiment: Experiment) -> dict[str, Any]:
    """The JSON document that ``experiment_of`` reads as this experiment; every key is in it."""
    arms = [
        {"name": arm.name, "weight": arm.weight, "model": arm.model, "settings": _settings_of(arm.settings)}
        for arm in experiment.arms
    ]
    explored = experiment.exploration
    return {
        "name": experiment.name,
        "salt": experiment.salted,
        "layer": experiment.layer,
        "span": list(experiment.span),
        "arms": arms,
        "ramp": [{"from": step.since, "share": step.share} for step in experiment.ramp.steps],
        "holdout": experiment.holdout,
        "overrides": dict(experiment.overrides),
        "start": experiment.start,
        "end": experiment.end,
        "exploration": None if explored is None else asdict(explored),
        "kind": experiment.kind,
    }


def _settings_of(settings: Settings) -> dict[str, Any]:
    cold = {"min": settings.cold_least, "max": settings.cold_most}
    given = {name: value for name, value in cold.items() if value is not None}
    told: dict[str, Any] = {"cold": given} if given else {}
    return told if settings.diversity is None else {**told, "diversity": settings.diversity}


def _arm(key: str, document: Any, folder: str | os.PathLike[str]) -> Arm:
    given = _object(key, document, ("name", "weight", "model", "settings"), needed=("name",))
    model = given.get("model")
    if model is not None:
        model = _typed(f"{key}.model", model, str)
        model = model and os.path.join(folder, model)
    weight = _typed(f"{key}.weight", given["weight"], float) if "weight" in given else 1.0
    settings = _settings(f"{key}.settings", given.get("settings"))
    return Arm(_typed(f"{key}.name", given["name"], str), weight, model, settings)


def _settings(key: str, document: Any) -> Settings:
    if document is None:
        return Settings()
    if isinstance(document, Mapping) and "beta" in document:
        raise ParameterError(f"{key}.beta: {_BETA}")
    given = _object(key, document, ("cold", "diversity"))
    cold = _object(f"{key}.cold", given.get("cold") or {}, ("min", "max"))
    least, most = (
        None if cold.get(name) is None else _typed(f"{key}.cold.{name}", cold[name], int)
        for name in ("min", "max")
    )
    diversity = given.get("diversity")
    return Settings(least, most, None if diversity is None else _typed(f"{key}.diversity", diversity, float))


def _span(document: Any) -> tuple[float, float]:
    ends = [_typed(f"span[{n}]", each, float) for n, each in enumerate(_typed("span", document, list))]
    if len(ends) != 2:
        raise ParameterError(f"span holds {len(ends)} numbers; give the first and the last, as in [0, 0.5]")
    return ends[0], ends[1]


def _ramp(document: Any) -> Ramp:
    steps = []
    for n, each in enumerate(_typed("ramp", document, list)):
        key = f"ramp[{n}]"
        given = _object(key, each, ("from", "share"), needed=("from", "share"))
        share = _typed(f"{key}.share", given["share"], float)
        steps.append(RampStep(seconds(f"{key}.from", given["from"]), share))
    return Ramp(tuple(steps))


def _overrides(document: Any) -> dict[str, str]:
    given = _typed("overrides", document, dict)
    return {user: _typed(f"overrides.{brief(user)}", arm, str) for user, arm in given.items()}


def _explored(document: Any) -> Exploration:
    kinds = {"kind": str, "share": float, "from_rank": int, "temperature": float, "pool": int}
    given = _object("exploration", document, tuple(kinds), needed=("kind", "share"))
    told = {name: value for name, value in given.items() if value is not None}
    return Exploration(**{name: _typed(f"exploration.{name}", told[name], kinds[name]) for name in told})


def _object(key: str, given: Any, names: tuple[str, ...], needed: tuple[str, ...] = ()) -> dict[str, Any]:
    """A JSON object of these names at most."""
    document: dict[str, Any] = _typed(key, given, dict)
    beyond = [name for name in document if name not in names]
    at = "" if key == "the plan" else f"{key}."
    if beyond:
        raise ParameterError(f"{at}{beyond[0][:60]} is unknown; the keys here are {', '.join(names)}")
    missing = [name for name in needed if document.get(name) is None]
    if missing:
        raise ParameterError(f"{at}{missing[0]} is missing; give it")
    return document


def _typed(key: str, given: Any, kind: type) -> Any:
    """What must be of a type: JSON's numbers are no texts, and true is no number."""
    kinds = (int, float) if kind is float else (kind,)
    if type(given) not in kinds:
        raise ParameterError(f"{key} is {brief(given)}; give {_WORDS[kind]}")
    return float(given) if kind is float else given
