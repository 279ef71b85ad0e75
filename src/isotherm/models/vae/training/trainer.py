"""The training loop: batches of users straight from CSR, early stopping, checkpoints, exact resume.

Every random number of a step comes from its name and (seed, epoch, phase, batch) alone (``streams``), so a
run that goes on from a checkpoint is the run that was not stopped. With several processes (``torchrun``) each
takes its share of every batch's users and gradients are summed.
"""

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
import torch.distributed as distributed
from scipy.sparse import csr_array
from torch import Tensor, nn

from isotherm.errors import ParameterError, TrainingError
from isotherm.launcher import launched
from isotherm.linalg.csr import column_counts, take_rows
from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.item_table import InPlaceAdam, ItemTable, Sample, log_likelihoods
from isotherm.models.vae.network.layers import Network, masked, normalised
from isotherm.models.vae.objective.masking import Mask
from isotherm.models.vae.objective.terms import Forward, RowTargets, Term, total, weights
from isotherm.models.vae.training.checkpoint import RunFolder, with_prefix
from isotherm.models.vae.training.devices import chosen_device, chosen_precision, join
from isotherm.models.vae.training.interrupt import Interrupt, waiting_interrupt
from isotherm.models.vae.training.settings import Training
from isotherm.progress import set_status
from isotherm.state import arrays_under
from isotherm.streams import stream
from isotherm.types import Array
from isotherm.untrusted import Each, Number, Whole


@dataclass(frozen=True)
class Phase:
    """A pass over all users.

    terms: the objective.  learns: "all", "encoder" or "decoder"; the rest is held.  masked: whether the
    encoder sees masked clicks.  after: called when the pass is done.
    """

    terms: Sequence[Term]
    learns: str = "all"
    masked: bool = True
    after: Callable[[], None] | None = None


@dataclass
class Progress:
    """How far a run is; with the parameters, all that a resume needs."""

    epoch: int = 0
    phase: int = 0
    batch: int = 0
    sums: dict[str, list[float]] = field(default_factory=dict)  #: by term: sum over users, users
    users: int = 0
    seconds: float = 0.0
    best: float = -1.0  #: of the validation metric; below 0: not measured yet
    best_epoch: int = 0
    stale: int = 0
    stopped: bool = False


#: schema of what a checkpoint says of Progress
_PROGRESS = {
    "epoch": Whole(),
    "phase": Whole(),
    "batch": Whole(),
    "sums": Each((Number(), Whole(1))),
    "users": Whole(),
    "seconds": Number(least=0),
    "best": Number(),
    "best_epoch": Whole(),
    "stale": Whole(),
    "stopped": bool,
}


class Trainer:
    """Trains a network (and the modules beside it) on a click matrix.

    network: what is trained.  beside: other modules that learn or are kept, by name (anchors, an old
    encoder).  phases: the passes of one epoch.  users: rows of ``clicks`` to train on.
    validate: the metric of the network as it is, or None.  targets: further soft targets, by rows;
    log-likelihoods of them follow the clicks' own.
    """

    def __init__(
        self,
        model_name: str,
        settings: Training,
        network: Network,
        beside: dict[str, nn.Module],
        phases: Sequence[Phase],
        mask: Mask,
        clicks: csr_array,
        users: Array,
        seed: int,
        validate: Callable[[], float] | None,
        targets: Sequence[RowTargets] = (),
    ) -> None:
        self.model_name, self.settings, self.network, self.beside = model_name, settings, network, beside
        self.phases, self.mask, self.clicks, self.seed, self.validate = phases, mask, clicks, seed, validate
        self.targets = targets
        place = launched()
        self.rank, self.world = place.rank, place.world
        self.device = chosen_device(settings.device, place)
        join(place, self.device)
        self.dtype = chosen_precision(settings.precision, self.device)
        self.users = users[np.diff(clicks.indptr)[users] > 0]
        if not len(self.users):
            raise ParameterError(
                f"{model_name}: training.valid_share={settings.valid_share:g} leaves no user to train on"
            )
        self.item_clicks = torch.from_numpy(column_counts(clicks))
        self.sampled = settings.sampled(clicks.shape[1])
        for module in (network, *beside.values()):
            module.to(self.device)
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}
        self._prepare_optimiser()

    def run(
        self, path: str | os.PathLike[str] | None = None, reads: Mapping[str, str] | None = None
    ) -> Progress:
        """Train until the epochs are done or validation no longer rises; the best network stays in place.

        path: the run's folder.  reads: the fingerprint of all that the run reads, but for device, precision
        and processes. Ctrl-C is obeyed when the running step is done, and leaves a checkpoint of it.
        Raises TrainingError where a number is no longer finite, or the folder is another run's.
        """
        if path is None:
            self._train(None, False)
            return self.progress
        arithmetic = {
            "training.device": self.device.type,
            "training.precision": str(self.dtype),
            "number of processes": str(self.world),
        }
        folder = RunFolder(path, {**(reads or {}), **arithmetic})  # other arithmetic is another run
        with folder.held() if self.rank == 0 else nullcontext():
            resumed = self._resume(folder)
            self._train(folder if self.rank == 0 else None, resumed)
        return self.progress

    def _train(self, folder: RunFolder | None, resumed: bool) -> None:
        board = _board(folder, self.settings.tensorboard)
        if folder:
            folder.log("resume" if resumed else "start", **self._facts())
        self._saved = time.monotonic()
        alone = folder is not None and self.world == 1
        with waiting_interrupt() if alone else nullcontext(Interrupt()) as interrupt:
            while not self.progress.stopped and self.progress.epoch < self.settings.epochs:
                self._epoch(folder, interrupt)
                self._close_epoch(folder, board)
        if folder:
            self._checkpoint(folder)
            p = self.progress
            folder.log("end", epoch=p.epoch, best_epoch=p.best_epoch, best=p.best if self.validate else None)
        if self.best:
            self._load_learned(self.best)
        for table in self._tables:
            table.adam = None

    def _facts(self) -> dict[str, Any]:
        """What the log says of the run."""
        return {
            "model": self.model_name, "settings": repr(self.settings), "users": len(self.users),
            "items": self.clicks.shape[1], "clicks": int(self.clicks.nnz), "device": str(self.device),
            "precision": str(self.dtype).removeprefix("torch."), "processes": self.world,
            "epoch": self.progress.epoch, "batch": self.progress.batch,
        }  # fmt: skip

    def _epoch(self, folder: RunFolder | None, interrupt: Interrupt) -> None:
        p = self.progress
        while p.phase < len(self.phases):
            phase = self.phases[p.phase]
            self._hold(phase.learns)
            order = stream(self.seed, "order of users", p.epoch, p.phase).permutation(self.users)
            keep = self._chances()
            n_batches = -(-len(order) // self.settings.batch_size)
            while p.batch < n_batches:
                started = time.perf_counter()
                rows = order[p.batch * self.settings.batch_size :][: self.settings.batch_size]
                moment = p.epoch + (p.phase + p.batch / n_batches) / len(self.phases)
                self.step(phase, rows, keep, moment)
                p.seconds += time.perf_counter() - started
                p.users += len(rows)
                p.batch += 1
                self._tell()
                due = time.monotonic() - self._saved >= 60 * self.settings.checkpoint_minutes
                if folder and (due or interrupt.asked):
                    self._checkpoint(folder)
                if folder and interrupt.asked:
                    folder.log("stop", epoch=p.epoch, phase=p.phase, batch=p.batch)
                    raise KeyboardInterrupt
            if phase.after:
                phase.after()
            p.phase, p.batch = p.phase + 1, 0
        p.phase, p.epoch = 0, p.epoch + 1

    def _chances(self) -> Tensor:
        """(n_items,) with which the encoder sees a click. Raises ParameterError where they are none."""
        keep = self.mask.keep_probability(self.item_clicks, self.progress.epoch)
        if keep.shape != self.item_clicks.shape or not bool(((keep >= 0) & (keep <= 1)).all()):
            raise ParameterError(
                f"mask {self.mask!r}: gives no chance in [0, 1] for each of {len(self.item_clicks)} items"
            )
        return keep

    def step(self, phase: Phase, rows: Array, keep: Tensor, moment: float) -> None:
        """One step on the users at ``rows``; random numbers are drawn for all of them on every process."""
        p = self.progress
        place = (p.epoch, p.phase, p.batch)
        block, places = take_rows(self.clicks, rows)
        clicks = Batch.of(block)
        shape = (len(rows), self.network.latent)
        noise = torch.from_numpy(stream(self.seed, "noise", *place).standard_normal(shape, np.float32))
        first, last = (len(rows) * r // self.world for r in (self.rank, self.rank + 1))
        own = slice(int(clicks.starts[first]), int(clicks.starts[last]))
        mine = clicks.users(first, last)
        inputs = normalised(mine)
        if phase.masked:
            lots = torch.from_numpy(stream(self.seed, "mask", *place).random(len(clicks.items), np.float32))
            inputs = masked(inputs, keep, lots[own] < keep[mine.items])
        mine, inputs = mine.to(self.device), inputs.to(self.device)
        targets = [mine]
        targets += [Batch.of(target(rows[first:last]), self.device) for target in self.targets]
        posterior = self.network.encode(inputs)
        z = posterior.sample(noise[first:last].to(self.device))
        sample = None
        if self.sampled:
            sample = Sample(targets, self.sampled, stream(self.seed, "sampled softmax", *place))
        found = log_likelihoods(
            self.network.decode(z), self.network.last, self.network.last_bias, targets, self.dtype, sample
        )
        forward = Forward(mine, inputs, torch.from_numpy(places[own]), posterior, z, found, moment)
        losses, values = total(phase.terms, forward)
        self._record(losses, values, rows, lambda: weights(phase.terms, forward))
        for parameter in self._learning:
            parameter.grad = None
        for table in self._tables:
            if table.adam and not table.frozen:
                table.adam.steps += 1
        (losses.sum() / len(rows)).backward()
        self._update()

    def _record(
        self,
        losses: Tensor,
        values: dict[str, Tensor],
        rows: Array,
        weights: Callable[[], dict[str, float]],
    ) -> None:
        """Add up the batch's losses. Raises TrainingError where one is not finite, before any update."""
        names = ["loss", *values]
        sums = torch.stack([losses.detach().sum(), *(value.detach().sum() for value in values.values())])
        if self.world > 1:
            distributed.all_reduce(sums)
        found = dict(zip(names, sums.tolist(), strict=True))
        broken = [name for name in values if not math.isfinite(found[name])]
        if broken or not math.isfinite(found["loss"]):
            p = self.progress
            what = f"the term {', '.join(broken)} is {found[broken[0]]}" if broken else _outweighed(weights())
            raise TrainingError(
                f"{self.model_name}: the loss is no longer a number in epoch {p.epoch + 1}, batch "
                f"{p.batch + 1} (users at rows {', '.join(map(str, rows[:3]))}, …): {what}; {self._cure()}"
            )
        for name, value in found.items():
            before, users = self.progress.sums.get(name, (0.0, 0))
            self.progress.sums[name] = [before + value, users + len(rows)]

    def _check_finite(self, arrays: Mapping[str, Tensor]) -> None:
        """Raise TrainingError where a weight, or what Adam remembers of it, is no longer finite."""
        for name, array in arrays.items():
            if array.numel() and array.is_floating_point():
                least, most = (float(bound) for bound in array.detach().aminmax())
                if not (math.isfinite(least) and math.isfinite(most)):
                    p = self.progress
                    raise TrainingError(
                        f"{self.model_name}: {name.removeprefix('now/')} is no longer finite after epoch "
                        f"{p.epoch + bool(p.phase or p.batch)}; {self._cure()}"
                    )

    def _cure(self) -> str:
        rate, decay = self.settings.learning_rate, self.settings.weight_decay
        decays = f", training.weight_decay (now {decay:g})" if decay else ""
        return (
            f"lower training.learning_rate (now {rate:g}){decays} or the weight of a term (beta, anchors), "
            "or set training.clip=1"
        )

    def _update(self) -> None:
        if self.world > 1:
            for parameter in self._learning:
                if parameter.grad is not None:
                    distributed.all_reduce(parameter.grad)
        if self.settings.clip is not None:
            nn.utils.clip_grad_norm_(self._learning, self.settings.clip)
        self.optimiser.step()

    def means(self) -> dict[str, float]:
        """Mean of each loss term over the users of the running epoch."""
        return {name: value / users for name, (value, users) in self.progress.sums.items()}

    def _tell(self) -> None:
        p, terms = self.progress, self.means()
        shown = ", ".join(f"{name} {value:.4g}" for name, value in terms.items())
        best = f", best {self.settings.metric} {p.best:.4f}" if p.best >= 0 else ""
        set_status(
            f"epoch {p.epoch + 1} of {self.settings.epochs}: {shown}{best}, "
            f"{p.users / max(p.seconds, 1e-9):,.0f} users/s"
        )

    def _close_epoch(self, folder: RunFolder | None, board: Any) -> None:
        """Validate, log, keep the best, decide whether to go on."""
        p = self.progress
        self._check_finite(self._state())
        facts: dict[str, Any] = {
            **self.means(),
            "users_per_second": round(p.users / max(p.seconds, 1e-9), 1),
            "seconds": round(p.seconds, 3),
        }
        if self.validate and p.epoch % self.settings.validate_every == 0:
            metric = facts[self.settings.metric] = self._measured()
            if metric > p.best:
                p.best, p.best_epoch, p.stale = metric, p.epoch, 0
                self.best = {name: array.clone() for name, array in self._learned().items()}
            else:
                p.stale += 1
                p.stopped = p.stale >= self.settings.patience
        if folder:
            folder.log("epoch", epoch=p.epoch, **facts)
        if board:
            for name, value in facts.items():
                board.add_scalar(name, value, p.epoch)
            board.flush()
        p.sums, p.users, p.seconds = {}, 0, 0.0

    def _measured(self) -> float:
        assert self.validate is not None
        self.network.eval()
        with torch.no_grad():
            metric = self.validate()
        self.network.train()
        if self.world > 1:
            box = torch.tensor([metric], dtype=torch.float64)
            if self.device.type == "cuda":
                box = box.to(self.device)
            distributed.broadcast(box, 0)
            metric = float(box.item())
        return metric

    def _prepare_optimiser(self) -> None:
        """Item tables update themselves within the backward pass where they can; Adam does the rest."""
        rate, decay = self.settings.learning_rate, self.settings.weight_decay
        in_place = self.device.type == "cpu" and self.world == 1 and self.settings.clip is None
        learners = {"network": self.network} | {
            name: module
            for name, module in self.beside.items()
            if any(parameter.requires_grad for parameter in module.parameters())
        }
        modules = nn.ModuleDict(learners)
        self._tables = [module for module in modules.modules() if isinstance(module, ItemTable)]
        for table in self._tables:
            table.adam = InPlaceAdam(table, rate, decay) if in_place else None
            table.lazily = self.sampled > 0
        learning = {name: p for name, p in modules.named_parameters() if p.requires_grad}
        self._names, self._learning = list(learning), list(learning.values())
        self.optimiser = torch.optim.AdamW(self._learning, lr=rate, weight_decay=decay, fused=True)

    def _hold(self, learns: str) -> None:
        """Freeze what this phase does not train."""
        encoder = {id(parameter) for parameter in self.network.encoder_parameters()}
        decoder = {id(parameter) for parameter in self.network.decoder_parameters()}
        held = {"all": set[int](), "encoder": decoder, "decoder": encoder}[learns]
        for parameter in self._learning:
            parameter.requires_grad_(id(parameter) not in held)
        for table in self._tables:
            table.frozen = id(table.weight) in held

    def _learned(self) -> dict[str, Tensor]:
        arrays = with_prefix("network", self.network.state_dict())
        for name, module in self.beside.items():
            arrays |= with_prefix(name, module.state_dict())
        return arrays

    def _load_learned(self, arrays: dict[str, Tensor]) -> None:
        for name, module in {"network": self.network, **self.beside}.items():
            module.load_state_dict(arrays_under(arrays, f"{name}/"))
        for table in self._tables:
            if table.adam:
                table.adam.renew()

    def _state(self) -> dict[str, Tensor]:
        """All that the next step reads and is no part of the progress."""
        arrays = with_prefix("now", self._learned())
        for name, parameter in zip(self._names, self._learning, strict=True):
            arrays |= with_prefix(f"adam/{name}", self.optimiser.state.get(parameter, {}))
        for number, table in enumerate(self._tables):
            if table.adam:
                moments = {"moment": table.adam.moment, "square": table.adam.square}
                arrays |= with_prefix(f"table/{number}", moments)
        return arrays

    def _checkpoint(self, folder: RunFolder) -> None:
        arrays = self._state()
        self._check_finite(arrays)
        steps = [table.adam.steps for table in self._tables if table.adam]
        folder.save(
            arrays | with_prefix("best", self.best),
            {"progress": asdict(self.progress), "table_steps": steps},
        )
        self._saved = time.monotonic()

    def _resume(self, folder: RunFolder) -> bool:
        in_place = sum(table.adam is not None for table in self._tables)
        schema = {"progress": _PROGRESS, "table_steps": (Whole(),) * in_place}
        found = folder.load(schema, self._checkpoint_parts())
        if found is None:
            return False
        arrays, document = found
        self.progress = Progress(**document["progress"])
        self._load_learned(arrays_under(arrays, "now/"))
        self.best = {name: array.to(self.device) for name, array in arrays_under(arrays, "best/").items()}
        for name, parameter in zip(self._names, self._learning, strict=True):
            state = arrays_under(arrays, f"adam/{name}/")
            if state:
                self.optimiser.state[parameter] = {
                    key: array if key == "step" and self.device.type == "cpu" else array.to(self.device)
                    for key, array in state.items()
                }
        steps = list(document["table_steps"])
        for number, table in enumerate(self._tables):
            if table.adam:
                state = arrays_under(arrays, f"table/{number}/")
                table.adam.moment.copy_(state["moment"])
                table.adam.square.copy_(state["square"])
                table.adam.steps = steps.pop(0)
        return True

    def _checkpoint_parts(self) -> Iterator[dict[str, Tensor]]:
        """What a checkpoint of this run holds: parameters and item tables; the best ones; Adam's moments."""
        needed = with_prefix("now", self._learned())
        for number, table in enumerate(self._tables):
            if table.adam:
                needed |= with_prefix(
                    f"table/{number}", {"moment": table.adam.moment, "square": table.adam.square}
                )
        yield needed
        yield with_prefix("best", self._learned())
        for name, parameter in zip(self._names, self._learning, strict=True):
            moments = {"step": torch.zeros(()), "exp_avg": parameter, "exp_avg_sq": parameter}
            yield with_prefix(f"adam/{name}", moments)


def _outweighed(weights: Mapping[str, float]) -> str:
    """Which weight makes the sum overflow, each term being finite."""
    name = max(weights, key=lambda name: abs(weights[name]) if weights[name] == weights[name] else math.inf)
    return f"the weight of the term {name} is {weights[name]:g}"


def _board(folder: RunFolder | None, wanted: bool) -> Any:
    """A TensorBoard writer in the run folder, where one is wanted."""
    if not wanted or folder is None:
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as cause:
        raise ParameterError("training.tensorboard=true needs the package tensorboard: install it") from cause
    return SummaryWriter(folder.path)
