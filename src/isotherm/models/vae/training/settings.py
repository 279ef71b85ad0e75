"""The settings of training: epochs, batches, the optimizer, early stopping, precision, checkpoints."""

from typing import ClassVar

from isotherm.checks import above, at_least, between, is_text, metric_at, one_of, truth, whole
from isotherm.parameters import Part
from isotherm.ranking.metrics import USER_METRICS

_FULL_SOFTMAX = 100_000  # items up to which the softmax runs over all of them
_SAMPLED = 10_000  # items that stand for all beyond


class Training(Part):
    """How a network is trained.

    >>> from isotherm import MultVAE, Training
    >>> MultVAE(training=Training(epochs=50, patience=5)).training.epochs
    50

    Parameters:
        epochs (>= 1; default 200): passes over the users, at most.
        batch_size (>= 1; default 500): users per step (Liang et al. 2018, §4.3).
        learning_rate (> 0; default 1e-3): of Adam (Kingma & Ba 2015, algorithm 1).
        weight_decay (>= 0; default 0): decoupled from the gradient (Loshchilov & Hutter 2019).
        average (in [0, 1); default 0): of the network's weights over the steps: the share of the average that
            a step leaves, less in the first steps (Polyak & Juditsky 1992); validated and kept is the
            average; 0: the weights as they are.
        clip (> 0 or none; default none): the largest norm of the gradient, which then is in memory whole.
        patience (>= 1; default 20): validations without a better metric after which training stops.
        validate_every (>= 1; default 1): epochs from one validation to the next.
        valid_share (in [0, 1); default 0.05): of the users, held out for validation where fit is given no
            clicks for it; fewer than 50 users, and there is no validation: all epochs are run.
        metric (ndcg, hr, recall, mrr or map with @ and a length; default ndcg@100): what validation measures.
        softmax_sample (>= 0 or auto; default auto): items that stand for all in a step's softmax; 0: all do;
            auto: all up to 100,000 items, 10,000 of more.
        precision (auto, bfloat16 or float32; default auto): of the item-wide products; auto: bfloat16 where
            the processor multiplies in it.
        device (auto, cpu, cuda or mps; default auto): where training computes.
        checkpoint_minutes (>= 0; default 10): from one checkpoint to the next, where there is a run folder.
        tensorboard (true or false; default false): write TensorBoard's event files to the run folder, too.
    """

    name: ClassVar[str] = "training"

    def __init__(
        self,
        *,
        epochs: int = 200,
        batch_size: int = 500,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        average: float = 0.0,
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
        self.average = between("training.average", average, 0, 1, "[)")
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
