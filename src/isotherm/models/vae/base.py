"""What the three VAEs share: the model contract around a network, its training, and early stopping."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import nn

from isotherm.checks import seeded, whole
from isotherm.data import Interactions, Items
from isotherm.errors import TrainingError
from isotherm.folders import RUN, check_folder
from isotherm.linalg.cosine import cosines
from isotherm.linalg.csr import filter_entries, rows_of
from isotherm.models.base import Recommender
from isotherm.models.fitting import FitOptions
from isotherm.models.linear.item_weights import DenseWeights
from isotherm.models.scorer import ComparesItems
from isotherm.models.vae.network.item_table import ItemTable
from isotherm.models.vae.network.layers import Network
from isotherm.models.vae.network.scoring import logits, posteriors
from isotherm.models.vae.objective.anchors import AnchorTerm, ItemAnchors, cold_anchors
from isotherm.models.vae.objective.ease_term import (
    SKIPS,
    EASESkip,
    LinearPath,
    NoSkip,
    Skip,
    candidate_scales,
)
from isotherm.models.vae.objective.masking import MASKS, Bernoulli, Mask
from isotherm.models.vae.objective.terms import Guide, Reconstruction, Term
from isotherm.models.vae.training.checkpoint import described, digest, digest_of_rows
from isotherm.models.vae.training.settings import Training
from isotherm.models.vae.training.trainer import Phase, Progress, Trainer
from isotherm.models.vae.training.validation import Validation, held_out
from isotherm.parameters import part_of
from isotherm.state import Dense, Field, Inner, Plain
from isotherm.torch_state import without_weights
from isotherm.types import Bools, Float32
from isotherm.untrusted import Number, Whole

_PROGRESS = {"epoch": Whole(), "best_epoch": Whole(), "best": Number()}

_LOOKED_AT = 256  # users whose scores are looked at when training is done


class VAERecommender(Recommender, ComparesItems):
    """Base of the models whose knowledge is an encoder and a decoder.

    Subclasses say what the network is and of which phases an epoch is made.
    """

    parts: ClassVar[Mapping[str, Mapping[str, type[Any]]]] = {
        "mask": MASKS,
        "skip": SKIPS,
        "anchors": {"anchors": ItemAnchors},
        "training": {"training": Training},
    }

    network_: Network
    anchors_: Float32 | None  #: (n_items, latent) e_i, or None where anchors are off
    skip_: LinearPath | None  #: the linear path beside the network
    progress_: Progress  #: how the training went: epochs, best metric

    def __init__(
        self,
        *,
        hidden: int,
        latent: int,
        mask: Mask | None,
        anchors: ItemAnchors | None,
        skip: Skip | None,
        training: Training | None,
        seed: int,
    ) -> None:
        self.hidden = whole("hidden", hidden, 1)
        self.latent = whole("latent", latent, 1)
        self.mask = part_of(self, "mask", mask, Bernoulli)
        self.anchors = part_of(self, "anchors", anchors, ItemAnchors)
        self.skip = part_of(self, "skip", skip, NoSkip)
        self.training = part_of(self, "training", training, Training)
        self.seed = seeded("seed", seed)

    @property
    def learned(self) -> Iterator[Field]:
        """How the training went, the network, the anchors and the linear path."""
        yield Plain("progress_", _PROGRESS, _told, lambda told: Progress(**told))
        yield Inner(
            "network_", lambda model, sizes: without_weights(lambda: model.new_network(sizes["n_fitted"]))
        )
        if self.anchors.weight:
            yield Dense("anchors_", np.float32, ("n_fitted", "latent"))
        if isinstance(self.skip, EASESkip):
            yield Inner("skip_", lambda model, sizes: LinearPath(DenseWeights.empty(model, sizes), 0.0))

    def restored(self) -> None:
        """What is switched off is None."""
        self.anchors_ = self.anchors_ if self.anchors.weight else None
        self.skip_ = self.skip_ if isinstance(self.skip, EASESkip) else None

    @property
    def trains_in_steps(self) -> bool:
        """Yes: with early stopping and checkpoints."""
        return True

    def fit_guided(self, clicks: Interactions, guide: Guide) -> Self:
        """Fit on clicks and on guessed clicks beside them (MARec, eq. 7). Returns self."""
        self._guide = guide
        try:
            return self.fit(clicks)
        finally:
            del self._guide

    def fit_memory(self, clicks: Interactions) -> float:
        weights = 2.0 * clicks.n_items * self.hidden + 3.0 * self.hidden * self.latent
        weights += clicks.n_items * self.latent * bool(self.anchors.weight)
        return 2 * 4 * weights  # with the optimiser's moments

    def memory_settings(self) -> dict[str, int]:
        return {"hidden": self.hidden, "latent": self.latent}

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        """``items`` are only for anchors from metadata.

        Raises TrainingError where the loss is no longer a number, or ``options.run_dir`` holds another run.
        """
        if options.run_dir is not None:
            check_folder(options.run_dir, RUN)
        matrix = clicks.matrix
        shares = self.anchors.click_weights(clicks) if self.anchors.weight else None
        validation: Validation | None
        if options.valid is None:
            stays, validation = held_out(matrix, self.training.valid_share, self.seed)
        else:
            stays = np.ones(clicks.n_users, dtype=bool)
            validation = Validation.given(clicks, options.valid, self.seed)
        network = self.new_network(clicks.n_items)
        beside: dict[str, nn.Module] = {}
        terms: list[Term] = []
        features = None
        if shares is not None:
            table = ItemTable(clicks.n_items, self.latent)
            features = self.anchors.features(items)
            start = self.anchors.initial(matrix, features, self.latent, self.seed)
            table.weight.data.copy_(torch.from_numpy(start))
            beside["anchors"] = table
            terms.append(AnchorTerm(self.anchors, table, torch.from_numpy(shares)))
        guide: Guide | None = getattr(self, "_guide", None)
        guides = [] if guide is None else [guide]
        phases = self._phases(network, beside, [Reconstruction(), *guides], terms)
        name, k = self.training.measured_by()
        trainer = Trainer(
            self.name,
            self.training,
            network,
            beside,
            phases,
            self.mask,
            matrix,
            np.flatnonzero(stays),
            self.seed,
            None if validation is None else lambda: validation.measure(partial(logits, network), name, k),
            [guide.targets for guide in guides],
        )
        reads = {} if options.run_dir is None else self._reads(clicks, features, validation)
        self.progress_ = trainer.run(options.run_dir, reads)
        self.network_ = network.to("cpu").eval().requires_grad_(False)
        self.skip_ = self._linear_path(matrix, stays, validation)
        self.anchors_ = None
        if shares is not None:
            found = table.weight.detach().cpu().numpy()
            self.anchors_ = found if items is None else cold_anchors(found, clicks.item_clicks(), items)
        self._check_scores(matrix)

    def _check_scores(self, matrix: csr_array) -> None:
        """Raise TrainingError where finite weights are so large that scores of some users are not finite."""
        some = np.flatnonzero(np.diff(matrix.indptr[: _LOOKED_AT + 1]))
        if not np.isfinite(self._score(matrix[some])).all():
            raise TrainingError(
                f"{self.name}: scores are not finite; lower training.learning_rate, training.weight_decay, "
                "the weight of a term (beta, anchors) or skip.weight"
            )

    def _reads(
        self, clicks: Interactions, features: csr_array | None, validation: Validation | None
    ) -> dict[str, str]:
        """The fingerprint of all that training reads."""
        reads = {"model": self.name} | described(self) | {"clicks": digest_of_rows(clicks.matrix)}
        for name in ("training.checkpoint_minutes", "training.tensorboard"):  # these change nothing
            del reads[name]
        if validation is not None:
            reads["validation clicks"] = digest_of_rows(validation.histories, validation.targets)
        if features is not None:
            reads["metadata"] = digest_of_rows(features)
        if self.anchors.reads_times and clicks.timestamps is not None:
            times = clicks.timestamps.to_physical().to_numpy()
            reads["timestamps"] = f"{clicks.timestamps.dtype} {digest(times)}"
        return reads

    def _linear_path(
        self, matrix: csr_array, stays: Bools, validation: Validation | None
    ) -> LinearPath | None:
        """The skip path, its scale the one that ranks the validation users best."""
        if not isinstance(self.skip, EASESkip):
            return None
        weights = self.skip.fitted(filter_entries(matrix, stays[rows_of(matrix)]))
        scales = candidate_scales(self.skip, validation is not None)
        if validation is None or len(scales) == 1:
            return LinearPath(weights, scales[0])

        def blended(x: csr_array) -> Iterator[Float32]:
            network, linear = logits(self.network_, x), weights.scores(x)
            for scale in scales:
                yield network + np.float32(scale) * linear

        found = validation.measure_each(blended, *self.training.measured_by())
        return LinearPath(weights, scales[int(np.argmax(found))])

    def new_network(self, n_items: int) -> Network:
        """A fresh network, seeded."""
        raise NotImplementedError

    def _phases(
        self, network: Network, beside: dict[str, nn.Module], likelihood: list[Term], anchors: list[Term]
    ) -> Sequence[Phase]:
        """The passes of an epoch.

        beside: a place for modules to keep.  likelihood: what every pass is to explain: the clicks, and
        guessed ones where there are some.  anchors: the anchor term, if any.
        """
        raise NotImplementedError

    def _score(self, user_items: csr_array) -> Float32:
        """Logits (n_users, n_items) float32 of each history, clean, at the posterior's mean."""
        found = logits(self.network_, user_items)
        return found if self.skip_ is None else self.skip_.add_to(found, user_items)

    def item_similarities(self, column: int) -> Float32:
        """Cosines of weights in the last layer."""
        weights = self.network_.last.weight.detach().numpy()
        return cosines(weights, weights[column])

    def user_vectors(self, user_items: csr_array) -> Float32:
        """Means of the posteriors."""
        return posteriors(self.network_, user_items)[0]

    def posterior(self, user_items: csr_array) -> tuple[Float32, Float32 | None]:
        """Mean and log-variance (n_users, latent) of q(z | x) for clean histories; no variance on a DAE."""
        return posteriors(self._fitted().network_, user_items)


def _told(progress: Progress) -> dict[str, Any]:
    return {"epoch": progress.epoch, "best_epoch": progress.best_epoch, "best": progress.best}
