"""A training that diverges stops at once, and says where, in what, and what to do."""

import math
from collections.abc import Callable, Mapping

from torch import Tensor

from isotherm.errors import TrainingError
from isotherm.models.vae.training.progress import Progress
from isotherm.models.vae.training.run_setup import RunSetup
from isotherm.types import Array


def check_losses(
    setup: RunSetup,
    progress: Progress,
    rows: Array,
    sums: Mapping[str, float],
    weights: Callable[[], Mapping[str, float]],
) -> None:
    """Raise TrainingError where the loss of a batch is no number.

    rows: its users.  sums: of ``loss`` and of each term over them.  weights: asked for the largest of each
    term, where it is needed.
    """
    if all(map(math.isfinite, sums.values())):
        return
    broken = [name for name, value in sums.items() if name != "loss" and not math.isfinite(value)]
    what = f"the term {', '.join(broken)} is {sums[broken[0]]}" if broken else _outweighed(weights())
    raise TrainingError(
        f"{setup.model_name}: the loss is no longer a number in epoch {progress.epoch + 1}, batch "
        f"{progress.batch + 1} (users at rows {', '.join(map(str, rows[:3]))}, …): {what}; {_cure(setup)}"
    )


def check_arrays(setup: RunSetup, progress: Progress, arrays: Mapping[str, Tensor]) -> None:
    """Raise TrainingError where a weight, or what Adam remembers of it, is no longer finite."""
    for name, array in arrays.items():
        if array.numel() and array.is_floating_point():
            least, most = (float(bound) for bound in array.detach().aminmax())
            if not (math.isfinite(least) and math.isfinite(most)):
                begun = progress.epoch + bool(progress.phase or progress.batch)
                raise TrainingError(
                    f"{setup.model_name}: {name.removeprefix('now/')} is no longer finite after epoch "
                    f"{begun}; {_cure(setup)}"
                )


def _outweighed(weights: Mapping[str, float]) -> str:
    """Which weight makes the sum overflow, each term being finite."""
    name = max(weights, key=lambda name: math.inf if math.isnan(weights[name]) else abs(weights[name]))
    return f"the weight of the term {name} is {weights[name]:g}"


def _cure(setup: RunSetup) -> str:
    rate, decay = setup.settings.learning_rate, setup.settings.weight_decay
    decays = f", training.weight_decay (now {decay:g})" if decay else ""
    return (
        f"lower training.learning_rate (now {rate:g}){decays} or the weight of a term (beta, anchors), "
        "or set training.clip=1"
    )
