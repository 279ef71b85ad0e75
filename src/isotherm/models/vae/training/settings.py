"""The settings of training: epochs, batches, the optimiser, early stopping, precision, checkpoints."""

from typing import ClassVar

from isotherm.checks import above, at_least, between, is_text, metric_at, one_of, truth, whole
from isotherm.parameters import Part
from isotherm.ranking.metrics import USER_METRICS

_FULL_SOFTMAX = 100_000  # items up to which the softmax runs over all of them
_SAMPLED = 10_000  # items that stand for all beyond


class Training(Part):
    """How a network is trained.

    epochs: at most.  batch_size: users a step.  learning_rate, weight_decay (decoupled): of Adam. clip:
    largest norm of the whole gradient, or none (clipping needs the whole gradient in memory). patience:
    validations without a better ``metric`` after which training stops.  validate_every: epochs. valid_share:
    users held out for validation where fit is given none; fewer than 50 of them, and there is no validation:
    training runs all epochs.  softmax_sample: items that stand for all in a step's softmax; 0: all; "auto":
    all up to 100,000.  precision: of the item-wide products: "bfloat16", "float32" or "auto" (bfloat16 where
    the processor multiplies in it).  device: "cpu", "cuda", "mps" or "auto". checkpoint_minutes: between two
    checkpoints, where fit is given a run folder.  tensorboard: write its event files there, too.
    """

    name: ClassVar[str] = "training"

    def __init__(
        self,
        *,
        epochs: int = 200,
        batch_size: int = 500,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        clip: float | None = None,
        patience: int = 20,
        validate_every: int = 1,
        valid_share: float = 0.05,
        metric: str = "ndcg@100",
        softmax_sample: int | str = "auto",
        precision: str = "auto",
        device: str = "auto",
        checkpoint_minutes: float = 10.0,
        tensorboard: bool = False,
    ) -> None:
        self.epochs = whole("training.epochs", epochs, 1)
        self.batch_size = whole("training.batch_size", batch_size, 1)
        self.learning_rate = above("training.learning_rate", learning_rate, 0)
        self.weight_decay = at_least("training.weight_decay", weight_decay, 0)
        self.clip = None if clip is None else above("training.clip", clip, 0)
        self.patience = whole("training.patience", patience, 1)
        self.validate_every = whole("training.validate_every", validate_every, 1)
        self.valid_share = between("training.valid_share", valid_share, 0, 1, "[)")
        self.metric = metric
        self.measured_by()  # says what is wrong with it
        self.softmax_sample = (
            "auto" if is_text(softmax_sample, "auto") else whole("training.softmax_sample", softmax_sample, 0)
        )
        self.precision = one_of("training.precision", precision, ("auto", "bfloat16", "float32"))
        self.device = one_of("training.device", device, ("auto", "cpu", "cuda", "mps"))
        self.checkpoint_minutes = at_least("training.checkpoint_minutes", checkpoint_minutes, 0)
        self.tensorboard = truth("training.tensorboard", tensorboard)

    def measured_by(self) -> tuple[str, int]:
        """Metric and list length of validation."""
        return metric_at("training.metric", self.metric, USER_METRICS)

    def sampled(self, n_items: int) -> int:
        """Items to sample for the softmax of a catalogue; 0 is all of them."""
        if self.softmax_sample == "auto":
            return 0 if n_items <= _FULL_SOFTMAX else _SAMPLED
        return 0 if int(self.softmax_sample) >= n_items else int(self.softmax_sample)
