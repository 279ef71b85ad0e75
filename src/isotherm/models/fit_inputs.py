"""What a fit is given: clicks and items, which are checked, and options."""

import os
from dataclasses import dataclass
from typing import Any, Protocol

from isotherm.checks import folder_name
from isotherm.data import Interactions, Items
from isotherm.errors import ParameterError


class MayTrainInSteps(Protocol):
    """A model, as far as options ask."""

    @property
    def trains_in_steps(self) -> bool: ...


@dataclass(frozen=True)
class FitOptions:
    """What a model that trains in steps takes: the VAEs, and mmr around one of them.

    >>> from isotherm import FitOptions, Interactions, MultVAE, Training
    >>> from scipy.sparse import random_array
    >>> clicks = Interactions.from_csr(random_array((40, 12), density=0.3, rng=0, format="csr"))
    >>> model = MultVAE(hidden=8, latent=4, training=Training(epochs=2))
    >>> model.fit(clicks, options=FitOptions(run_dir="runs/first")).progress_.epoch
    2

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

    def accepted_by(self, model: "MayTrainInSteps") -> "FitOptions":
        """These for a model that takes them, none for another: how models are compared on one split."""
        return self if model.trains_in_steps else NO_OPTIONS


NO_OPTIONS = FitOptions()


def check_data(what: str, data: Any, kind: type) -> None:
    """That ``data`` is Interactions or Items, as ``kind`` says. Raises ParameterError with the cure."""
    if isinstance(data, kind):
        return
    given, wanted = type(data).__name__, kind.__name__
    if isinstance(data, Interactions | Items):
        cure = "clicks come first, items second: fit(clicks, items)"
    else:
        cure = f"give {wanted}.from_frame(…) or {wanted}.read(…)"
    raise ParameterError(f"{what} must be {wanted}, not {given}; {cure}")
