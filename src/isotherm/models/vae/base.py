"""What the three VAEs share: the model contract around a network, its training, and early stopping."""

import logging
import os
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import torch
from scipy.sparse import csr_array

from isotherm.checks import seeded, whole
from isotherm.data import Interactions, Items
from isotherm.errors import ParameterError, TrainingError
from isotherm.folders import RUN, check_folder
from isotherm.linalg.cosine import cosines
from isotherm.linalg.csr import filter_entries, rows_of
from isotherm.models.base import Recommender
from isotherm.models.fit_inputs import FitOptions
from isotherm.models.fitting import learn
from isotherm.models.linear.item_weights import DenseWeights
from isotherm.models.scorer import ComparesItems
from isotherm.models.vae.auto import Chosen, climb, ladders_of, with_settings
from isotherm.models.vae.network.item_table import ItemTable
from isotherm.models.vae.network.layers import Network
from isotherm.models.vae.network.scoring import logits, posteriors, scores_of_rows
from isotherm.models.vae.objective.anchor_term import AnchorTerm
from isotherm.models.vae.objective.anchors import ItemAnchors, cold_anchors
from isotherm.models.vae.objective.ease_term import EASE_TERMS, FittedEASETerm, LogitTerm, NoEASETerm
from isotherm.models.vae.objective.ladder import Ladder
from isotherm.models.vae.objective.masking import MASKS, Bernoulli, Mask
from isotherm.models.vae.objective.reconstruction import RECONSTRUCTIONS, Multinomial, ReconstructionLoss
from isotherm.models.vae.objective.terms import Reconstruction, SoftTargetTerm, Term
from isotherm.models.vae.training.fingerprint import described, digest, digest_of_rows
from isotherm.models.vae.training.progress import Progress
from isotherm.models.vae.training.run_setup import Phase, RunSetup
from isotherm.models.vae.training.settings import Training
from isotherm.models.vae.training.trainer import Trainer
from isotherm.models.vae.training.validation import Validation, held_out
from isotherm.parameters import part_of
from isotherm.progress import stage
from isotherm.state import Dense, Field, Inner, Plain
from isotherm.state.torch_modules import without_weights
from isotherm.types import Bools, Float32, Float64, Scores, UserItems
from isotherm.untrusted import Number, Whole

_log = logging.getLogger(__name__)

#: schema of what a saved model says of its training
_PROGRESS = {"epoch": Whole(), "best_epoch": Whole(), "best": Number()}
_TRIAL_EPOCHS, _TRIAL_STEPS = 20, 20  # of a short training, and steps an epoch at least
_TRIAL_RATE = 3.0  # times the learning rate: at the usual one, large λ_A are far behind after 20 epochs
_TRIAL_SHARE = 0.2  # of the users, held out to choose settings by where fit is given no clicks for it
_CHECKED_USERS = 256  # whose scores must be finite when training is done


class VAERecommender(Recommender, ComparesItems):
    """Base of the models whose knowledge is an encoder and a decoder.

    Subclasses say what the network is and of which phases an epoch is made.
    """

    parts: ClassVar[Mapping[str, Mapping[str, type[Any]]]] = {
        "mask": MASKS,
        "reconstruction": RECONSTRUCTIONS,
        "ease_term": EASE_TERMS,
        "anchors": {"anchors": ItemAnchors},
        "training": {"training": Training},
    }

    least_hidden: ClassVar[int] = 1  #: 0 where there is a network without hidden layers

    network_: Network
    anchors_: Float32 | None  #: (n_items, latent) e_i, or None where anchors are off
    ease_term_: FittedEASETerm | None  #: what is added to the network's logits, or None
    progress_: Progress  #: how the training went: epochs, best metric
    chosen_: Chosen  #: settings that are "auto", by their dotted names

    def __init__(
        self,
        *,
        hidden: int,
        latent: int,
        mask: Mask | None,
        reconstruction: ReconstructionLoss | None,
        anchors: ItemAnchors | None,
        ease_term: LogitTerm | None,
        training: Training | None,
        seed: int,
    ) -> None:
        self.hidden = whole("hidden", hidden, self.least_hidden)
        self.latent = whole("latent", latent, 1)
        self.mask: Mask = part_of(self, "mask", mask, Bernoulli)
        self.reconstruction: ReconstructionLoss = part_of(self, "reconstruction", reconstruction, Multinomial)
        if self.reconstruction.of_hidden and not self.mask.hides:
            raise ParameterError(
                f"{self.name}: reconstruction={self.reconstruction.name} is of the clicks that the mask "
                f"hides, and {self.mask!r} hides none; choose mask=bernoulli with mask.keep below 1"
            )
        self.anchors: ItemAnchors = part_of(self, "anchors", anchors, ItemAnchors)
        self.ease_term: LogitTerm = part_of(self, "ease_term", ease_term, NoEASETerm)
        self.training: Training = part_of(self, "training", training, Training)
        self.seed = seeded("seed", seed)

    @property
    def learned(self) -> Iterator[Field]:
        """The settings chosen, how the training went, the network, the anchors and the EASE term."""
        ladders = ladders_of(self)
        if ladders:
            yield Plain("chosen_", {name: _on(ladder) for name, ladder in ladders.items()}, dict)
        yield Plain("progress_", _PROGRESS, _saved_progress, lambda saved: Progress(**saved))
        yield Inner(
            "network_", lambda model, sizes: without_weights(lambda: model.new_network(sizes["n_fitted"]))
        )
        if self.settled.anchors.is_used:
            yield Dense("anchors_", np.float32, ("n_fitted", "latent"))
        if self.ease_term.is_used:
            yield Inner(
                "ease_term_", lambda model, sizes: FittedEASETerm(DenseWeights.empty(model, sizes), 0.0)
            )

    def restored(self) -> None:
        """What is switched off is None."""
        self.anchors_ = self.anchors_ if self.settled.anchors.is_used else None
        self.ease_term_ = self.ease_term_ if self.ease_term.is_used else None

    @property
    def settled(self) -> Self:
        """The model with numbers for settings that are "auto": itself, or an unfitted one like it.

        Raises ParameterError where nothing was chosen yet.
        """
        names = list(ladders_of(self))
        if not names:
            return self
        if not hasattr(self, "chosen_"):
            raise ParameterError(
                f"{self.name}: {', '.join(names)} of auto are chosen by fit, which is to come"
            )
        return with_settings(self, self.chosen_)

    def learned_settings(self) -> dict[str, float]:
        """What was chosen of λ_A, β and the mask's keep probability."""
        return dict(getattr(self, "chosen_", {}))

    @property
    def trains_in_steps(self) -> bool:
        """Yes: with early stopping and checkpoints."""
        return True

    @abstractmethod
    def new_network(self, n_items: int) -> Network:
        """A fresh network, seeded."""

    @abstractmethod
    def _phases(
        self, network: Network, likelihood: Sequence[Term], anchors: Sequence[Term]
    ) -> Sequence[Phase]:
        """The passes of an epoch.

        likelihood: what every pass is to explain: the clicks, and soft targets where there are some.
        anchors: the anchor term, if any.
        """

    def fit_with_soft_targets(self, clicks: Interactions, term: SoftTargetTerm) -> Self:
        """Fit on clicks, and on soft targets beside them (MARec, eq. 7). Returns self.

        Raises ParameterError where the loss takes none.
        """
        if self.reconstruction.of_hidden:
            raise ParameterError(
                f"{self.name}: reconstruction={self.reconstruction.name} takes no soft targets; "
                "set reconstruction=multinomial"
            )

        def method(model: Self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
            model._learn(clicks, items, options, [term])

        return learn(self, "fit", method, clicks)

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        """``items`` are only for anchors from metadata.

        Raises TrainingError where the loss is no longer a number, or ``options.run_dir`` holds another run.
        """
        self._learn(clicks, items, options, [])

    def _learn(
        self, clicks: Interactions, items: Items | None, options: FitOptions, soft_targets: Sequence[Term]
    ) -> None:
        if options.run_dir is not None:
            check_folder(options.run_dir, RUN)
        if ladders := ladders_of(self):
            self.chosen_ = self._choose(ladders, clicks, items, options, soft_targets)
            settled = self.settled
            settled._learn(clicks, items, options, soft_targets)
            for name in ("progress_", "network_", "ease_term_", "anchors_"):
                setattr(self, name, getattr(settled, name))
            return
        stays, validation = self._validation(clicks, options)
        anchors = self._train(clicks, items, stays, validation, soft_targets, options.run_dir)
        self.ease_term_ = self._fitted_ease_term(clicks.matrix, stays, validation)
        self.anchors_ = _final_anchors(anchors, clicks, items) if anchors else None
        self._check_scores(clicks.matrix)

    def _train(
        self,
        clicks: Interactions,
        items: Items | None,
        stays: Bools,
        validation: Validation | None,
        soft_targets: Sequence[Term],
        run_dir: str | os.PathLike[str] | None = None,
    ) -> AnchorTerm | None:
        """Train a network on the users who stay. Returns the anchors that were trained with it."""
        features = self.anchors.features(items) if self.anchors.is_used else None
        anchors = [self._anchor_term(clicks, features)] if self.anchors.is_used else []
        network = self.new_network(clicks.n_items)
        setup = RunSetup(
            model_name=self.name,
            settings=self.training,
            network=network,
            phases=self._phases(network, [Reconstruction(self.reconstruction), *soft_targets], anchors),
            clicks=clicks.matrix,
            users=np.flatnonzero(stays),
            seed=self.seed,
            validate=None if validation is None else self._metric_of(network, validation),
        )
        reads = {} if run_dir is None else self._reads(clicks, features, validation)
        self.progress_ = Trainer(setup).run(run_dir, reads)
        self.network_ = network.to("cpu").eval().requires_grad_(False)
        return anchors[0] if anchors else None

    def _choose(
        self,
        ladders: Mapping[str, Ladder],
        clicks: Interactions,
        items: Items | None,
        options: FitOptions,
        soft_targets: Sequence[Term],
    ) -> Chosen:
        """A value for each setting that is "auto", by short trainings without an EASE term."""
        if options.valid is None:
            share = max(self.training.valid_share, _TRIAL_SHARE)
            stays, validation = held_out(clicks.matrix, share, self.seed)
        else:
            stays, validation = self._validation(clicks, options)
        if validation is None:
            _log.info("%s: too few users to choose %s on", self.name, ", ".join(ladders))
            return {name: ladder.start for name, ladder in ladders.items()}
        users, metric = validation, self.training.measured_by()
        short = self._short_training(int(np.count_nonzero(stays)))

        def rank(chosen: Chosen) -> Float64:
            trial = with_settings(self, {**short, **chosen})
            trial._train(clicks, items, stays, users, soft_targets)
            metrics = users.of_users(partial(logits, trial.network_), *metric)
            _log.info("%s: %s: %s %.4f", self.name, dict(chosen), self.training.metric, metrics.mean())
            return metrics

        with stage(f"choose {', '.join(ladders)}"):
            return climb(ladders, rank)

    def _short_training(self, n_users: int) -> dict[str, Any]:
        """Settings of a training that tells settings apart: few epochs, small batches where users are few."""
        training = self.training
        return {
            "training.epochs": min(_TRIAL_EPOCHS, training.epochs),
            "training.batch_size": min(training.batch_size, max(n_users // _TRIAL_STEPS, 1)),
            "training.learning_rate": _TRIAL_RATE * training.learning_rate,
            "training.validate_every": 1,
            "training.tensorboard": False,
            "ease_term": NoEASETerm(),
        }

    def _validation(self, clicks: Interactions, options: FitOptions) -> tuple[Bools, Validation | None]:
        """(n_users,) who stays in training, and what early stopping is measured on."""
        if options.valid is None:
            return held_out(clicks.matrix, self.training.valid_share, self.seed)
        return np.ones(clicks.n_users, dtype=bool), Validation.given(clicks, options.valid, self.seed)

    def _anchor_term(self, clicks: Interactions, features: csr_array | None) -> AnchorTerm:
        """features: what anchors begin from where that is metadata."""
        click_weights = self.anchors.click_weights(clicks)
        table = ItemTable(clicks.n_items, self.latent)
        start = self.anchors.initial(clicks.matrix, features, self.latent, self.seed)
        table.weight.data.copy_(torch.from_numpy(start))
        return AnchorTerm(self.anchors, table, torch.from_numpy(click_weights))

    def _metric_of(self, network: Network, validation: Validation) -> Callable[[], float]:
        """The validation metric of a network as it is when asked."""
        metric, k = self.training.measured_by()
        return lambda: validation.measure(partial(logits, network), metric, k)

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

    def _fitted_ease_term(
        self, user_items: UserItems, stays: Bools, validation: Validation | None
    ) -> FittedEASETerm | None:
        """The EASE term on the users who stay, its scale the one that ranks the validation users best."""
        if not self.ease_term.is_used:
            return None
        with stage("fit the EASE term"):
            weights = self.ease_term.fitted(filter_entries(user_items, stays[rows_of(user_items)]))
        if weights is None:
            return None
        scales = self.ease_term.candidate_scales(validation is not None)
        if validation is None or len(scales) == 1:
            return FittedEASETerm(weights, scales[0])

        def added(block: UserItems) -> Iterator[Scores]:
            network, ease = logits(self.network_, block), weights.scores(block)
            for scale in scales:
                yield network + np.float32(scale) * ease

        metrics = validation.measure_each(added, *self.training.measured_by())
        return FittedEASETerm(weights, scales[int(np.argmax(metrics))])

    def _check_scores(self, user_items: UserItems) -> None:
        """Raise TrainingError where finite weights are so large that scores of some users are not finite."""
        users = np.flatnonzero(np.diff(user_items.indptr[: _CHECKED_USERS + 1]))
        if not np.isfinite(self._score(user_items[users])).all():
            raise TrainingError(
                f"{self.name}: scores are not finite; lower training.learning_rate, training.weight_decay, "
                "the weight of a term (beta, anchors) or ease_term.weight"
            )

    def fit_memory(self, clicks: Interactions) -> float:
        weights = 2.0 * clicks.n_items * (self.hidden or self.latent) + 3.0 * self.hidden * self.latent
        weights += clicks.n_items * self.latent * (self.anchors.weight != 0)
        return 2 * 4 * weights  # with the optimizer's moments

    def memory_settings(self) -> dict[str, int]:
        return {"hidden": self.hidden, "latent": self.latent}

    def _score(self, user_items: UserItems) -> Scores:
        """Logits (n_users, n_items) float32 of each history, clean, at the posterior's mean."""
        scores = scores_of_rows(self.network_, user_items)
        return scores if self.ease_term_ is None else self.ease_term_.add_to(scores, user_items)

    def item_similarities(self, column: int) -> Float32:
        """Cosines of weights in the last layer."""
        weights = self.network_.last.weight.detach().numpy()
        return cosines(weights, weights[column])

    def user_vectors(self, user_items: UserItems) -> Float32:
        """Means of the posteriors."""
        return posteriors(self.network_, user_items)[0]

    def posterior(self, user_items: UserItems) -> tuple[Float32, Float32 | None]:
        """Mean and log-variance (n_users, latent) of q(z | x) for clean histories; no variance on a DAE.

        >>> from scipy.sparse import csr_array
        >>> from isotherm import Interactions, MultVAE, Training
        >>> clicks = Interactions.from_csr(csr_array([[1, 1, 0], [1, 0, 1]], dtype="float32"))
        >>> model = MultVAE(hidden=4, latent=2, training=Training(epochs=1)).fit(clicks)
        >>> mean, logvar = model.posterior(model.clicks_)
        >>> mean.shape, logvar.shape
        ((2, 2), (2, 2))
        """
        return posteriors(self._fitted().network_, user_items)


def _on(ladder: Ladder) -> Number:
    """Schema of a value of it."""
    return Number(least=ladder.values[0], most=ladder.values[-1])


def _saved_progress(progress: Progress) -> dict[str, Any]:
    """What a saved model says of its training."""
    return {name: getattr(progress, name) for name in _PROGRESS}


def _final_anchors(term: AnchorTerm, clicks: Interactions, items: Items | None) -> Float32:
    """The anchors, those of never-clicked items by their metadata where there is some."""
    anchors: Float32 = term.table.weight.detach().cpu().numpy()
    return anchors if items is None else cold_anchors(anchors, clicks.item_clicks(), items)
