"""What ``fit`` may be given beside its data, and which models take it."""

import os
from dataclasses import dataclass
from typing import Protocol

from isotherm.checks import folder_name
from isotherm.data import Interactions
from isotherm.errors import ParameterError
from isotherm.models.requests import check_data


class Trainable(Protocol):
    """What the options of a fit depend on: any model."""

    @property
    def name(self) -> str:
        """In the registry."""

    @property
    def trains_in_steps(self) -> bool:
        """Whether it takes options."""


@dataclass(frozen=True)
class FitOptions:
    """What a model that trains in steps takes: the VAEs, and mmr around one of them.

    Parameters:
        valid (Interactions or None; default None): clicks for early stopping. Of users that the training
            clicks know they are what to find; of other users four fifths are history and the rest is to find.
        run_dir (a folder or None; default None): where checkpoints and the log are kept; a run that was cut
            off there goes on where it was.
    """

    valid: Interactions | None = None
    run_dir: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        if self.valid is not None:
            check_data("valid", self.valid, Interactions)
        folder_name("run_dir", self.run_dir)

    def accepted_by(self, model: Trainable) -> "FitOptions":
        """These for a model that takes them, none for another: how models are compared on one split."""
        return self if model.trains_in_steps else NO_OPTIONS


NO_OPTIONS = FitOptions()


def checked_options(model: Trainable, options: FitOptions | None) -> FitOptions:
    """The options of a fit, NO_OPTIONS for None. Raises ParameterError where the model takes none."""
    if options is None:
        return NO_OPTIONS
    if not isinstance(options, FitOptions):
        given = type(options).__name__
        raise ParameterError(f"options must be FitOptions(valid=…, run_dir=…), not {given}")
    if options.valid is not None or options.run_dir is not None:
        check_trains_in_steps(model)
    return options


def check_trains_in_steps(model: Trainable) -> None:
    """Raise ParameterError where ``model`` does not train in steps, and so takes no options."""
    if not model.trains_in_steps:
        raise ParameterError(
            f"FitOptions, --valid and --run-dir are for models that train in steps; {model.name} does not"
        )
