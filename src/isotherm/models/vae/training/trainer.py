"""The training loop: batches of users straight from CSR, early stopping, checkpoints, exact resume.

Every random number of a step comes from its name and (seed, epoch, phase, batch) alone (``streams``), so a
run that goes on from a checkpoint is the run that was not stopped.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isotherm.errors import ParameterError
from isotherm.linalg.csr import column_counts
from isotherm.models.vae.objective.masking import Mask
from isotherm.models.vae.objective.terms import Forward, largest_weights, total
from isotherm.models.vae.training.averaging import WeightAverage
from isotherm.models.vae.training.devices import chosen_precision
from isotherm.models.vae.training.divergence import check_arrays, check_losses
from isotherm.models.vae.training.forward import ForwardPass
from isotherm.models.vae.training.interrupt import Interrupt, waiting_interrupt
from isotherm.models.vae.training.optimizer import Optimizer
from isotherm.models.vae.training.processes import Processes
from isotherm.models.vae.training.progress import Progress
from isotherm.models.vae.training.recorder import Recorder
from isotherm.models.vae.training.run_folder import RunFolder
from isotherm.models.vae.training.run_setup import Phase, RunSetup
from isotherm.models.vae.training.run_state import RunState
from isotherm.progress import Advance, set_status, stage
from isotherm.streams import stream
from isotherm.types import Array


class Trainer:
    """Trains a network, and what its objective learns beside it, on a click matrix."""

    def __init__(self, setup: RunSetup) -> None:
        """Raises ParameterError where there is no user to train on, or no such device."""
        self.setup = setup
        self.processes = Processes.joined(setup.settings.device)
        self.dtype = chosen_precision(setup.settings.precision, self.processes.device)
        self.users = setup.users[np.diff(setup.clicks.indptr)[setup.users] > 0]
        if not len(self.users):
            share = setup.settings.valid_share
            raise ParameterError(
                f"{setup.model_name}: training.valid_share={share:g} leaves no user to train on"
            )
        self.item_clicks = torch.from_numpy(column_counts(setup.clicks))
        for module in setup.modules.values():
            module.to(self.processes.device)
        self.forward = ForwardPass(setup, self.processes, self.dtype)
        optimizer = Optimizer(
            setup.modules, setup.settings, self.processes, sparse_updates=setup.n_sampled > 0
        )
        average = WeightAverage(setup.network, setup.settings.average)
        self.state = RunState(setup.modules, average, optimizer, self.processes.device)

    def run(
        self, path: str | os.PathLike[str] | None = None, reads: Mapping[str, str] | None = None
    ) -> Progress:
        """Train until the epochs are done or validation no longer rises; the best network stays in place.

        path: the run's folder.  reads: the fingerprint of all that the run reads, but for device, precision
        and processes. Ctrl-C is obeyed when the running step is done, and leaves a checkpoint of it.
        Raises TrainingError where a number is no longer finite, or the folder is another run's.
        """
        if path is None:
            self._train(Recorder(self.setup, self.state, None, Interrupt()))
            return self.state.progress
        folder = RunFolder(path, {**(reads or {}), **self._arithmetic()})
        first, alone = self.processes.is_first, self.processes.is_alone
        with folder.held() if first else nullcontext():
            resumed = self.state.resume(folder)
            with waiting_interrupt() if alone else nullcontext(Interrupt()) as interrupt:
                recorder = Recorder(self.setup, self.state, folder if first else None, interrupt)
                recorder.log("resume" if resumed else "start", **self._facts())
                self._train(recorder)
        return self.state.progress

    def _arithmetic(self) -> dict[str, str]:
        """What changes how numbers are rounded: a run with another of these is another run."""
        return {
            "training.device": self.processes.device.type,
            "training.precision": str(self.dtype),
            "number of processes": str(self.processes.world_size),
        }

    def _facts(self) -> dict[str, Any]:
        """What the log says of the run."""
        setup, progress = self.setup, self.state.progress
        return {
            "model": setup.model_name, "settings": repr(setup.settings), "users": len(self.users),
            "items": setup.clicks.shape[1], "clicks": int(setup.clicks.nnz),
            "device": str(self.processes.device), "precision": str(self.dtype).removeprefix("torch."),
            "processes": self.processes.world_size, "epoch": progress.epoch, "batch": progress.batch,
        }  # fmt: skip

    def _train(self, recorder: Recorder) -> None:
        state, epochs = self.state, self.setup.settings.epochs
        with stage(
            "train", epochs, "epochs", self._epochs_done(), self.setup.validate is not None
        ) as advance:
            while not state.progress.stopped and state.progress.epoch < epochs:
                self._epoch(recorder, advance)
                self._close_epoch(recorder)
        recorder.checkpoint()
        p = state.progress
        recorder.log(
            "end", epoch=p.epoch, best_epoch=p.best_epoch, best=p.best if self.setup.validate else None
        )
        if state.best:
            state.load_weights(state.best)
        else:
            state.average.put()
        state.optimizer.release()

    def _epochs_done(self) -> float:
        """With the share of the running one; at the start, by an earlier run of the folder."""
        p = self.state.progress
        return p.epoch + (p.phase + p.batch / self._n_batches) / len(self.setup.phases)

    def _steps_done(self) -> int:
        """Of the whole run, over all phases."""
        p = self.state.progress
        return (p.epoch * len(self.setup.phases) + p.phase) * self._n_batches + p.batch

    @property
    def _n_batches(self) -> int:
        """Of a pass over the users."""
        return -(-len(self.users) // self.setup.settings.batch_size)

    def _epoch(self, recorder: Recorder, advance: Advance) -> None:
        p, phases, size = self.state.progress, self.setup.phases, self.setup.settings.batch_size
        while p.phase < len(phases):
            phase = phases[p.phase]
            self.state.optimizer.hold(phase.held(self.setup.network))
            order = stream(self.setup.seed, "order of users", p.epoch, p.phase).permutation(self.users)
            keep = None if phase.mask is None else self._keep_probability(phase.mask)
            n_batches = self._n_batches
            while p.batch < n_batches:
                self.step(phase, order[p.batch * size :][:size], keep, self._epochs_done())
                advance(1 / (n_batches * len(phases)))
                self._show_progress()
                recorder.after_batch()
            if phase.after:
                phase.after()
            p.phase, p.batch = p.phase + 1, 0
        p.phase, p.epoch = 0, p.epoch + 1

    def _keep_probability(self, mask: Mask) -> Tensor:
        """(n_items,) with which the encoder sees a click. Raises ParameterError where it is none."""
        keep = mask.keep_probability(self.item_clicks, self.state.progress.epoch)
        if keep.shape != self.item_clicks.shape or not bool(((keep >= 0) & (keep <= 1)).all()):
            raise ParameterError(
                f"mask {mask!r}: gives no chance in [0, 1] for each of {len(self.item_clicks)} items"
            )
        return keep.to(self.processes.device)

    def step(self, phase: Phase, rows: Array, keep: Tensor | None, epoch: float) -> None:
        """One step on the users at ``rows``.

        keep: (n_items,) with which probability the encoder sees a click; None: it sees all.
        epoch: epochs done, with the fraction of the running one.
        Raises TrainingError where a loss is not finite, before any update.
        """
        started = time.perf_counter()
        progress = self.state.progress
        forward = self.forward(rows, keep, progress.position, epoch)
        losses, values = total(phase.terms, forward)
        sums = self._checked_sums(phase, forward, rows, {"loss": losses, **values})
        self.state.optimizer.step(losses.sum() / len(rows))
        self.state.average.update(self._steps_done())
        progress.add(sums, len(rows), time.perf_counter() - started)

    def _checked_sums(
        self, phase: Phase, forward: Forward, rows: Array, values: Mapping[str, Tensor]
    ) -> dict[str, float]:
        """The sum of each loss term over the batch. Raises TrainingError where one is not finite."""
        added = torch.stack([value.detach().sum() for value in values.values()])
        self.processes.sum(added)
        sums = dict(zip(values, added.tolist(), strict=True))
        heaviest = partial(largest_weights, phase.terms, forward)
        check_losses(self.setup, self.state.progress, rows, sums, heaviest)
        return sums

    def _show_progress(self) -> None:
        p, settings = self.state.progress, self.setup.settings
        shown = ", ".join(f"{name} {value:.4g}" for name, value in p.means().items())
        best = f", best {settings.metric} {p.best:.4f}" if p.best >= 0 else ""
        set_status(
            f"epoch {p.epoch + 1} of {settings.epochs}: {shown}{best}, {p.users_per_second():,.0f} users/s"
        )

    def _close_epoch(self, recorder: Recorder) -> None:
        """Validate, log, keep the best, decide whether to go on."""
        p, settings = self.state.progress, self.setup.settings
        check_arrays(self.setup, p, self.state.arrays())
        facts = {
            **p.means(),
            "users_per_second": round(p.users_per_second(), 1),
            "seconds": round(p.seconds, 3),
        }
        if self.setup.validate and p.epoch % settings.validate_every == 0:
            with self.state.average.in_place():
                facts[settings.metric] = metric = self._validation_metric(self.setup.validate)
                if p.measured(metric, settings.patience):
                    self.state.keep_as_best()
        recorder.log_epoch(facts)
        p.begin_epoch()

    def _validation_metric(self, validate: Callable[[], float]) -> float:
        """The metric of the network as it is: of the first process, on all."""
        self.setup.network.eval()
        with torch.no_grad():
            metric = validate()
        self.setup.network.train()
        return self.processes.from_first(metric)
