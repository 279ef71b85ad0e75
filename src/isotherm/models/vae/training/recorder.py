"""Keeps a run while it trains: the log, checkpoints in time, TensorBoard's events."""

import time
from collections.abc import Mapping
from typing import Any

from isotherm.errors import ParameterError
from isotherm.models.vae.training.divergence import check_arrays
from isotherm.models.vae.training.interrupt import Interrupt
from isotherm.models.vae.training.run_folder import RunFolder
from isotherm.models.vae.training.run_setup import RunSetup
from isotherm.models.vae.training.run_state import RunState


class Recorder:
    """folder: None keeps nothing.  interrupt: whether Ctrl-C was pressed."""

    def __init__(
        self, setup: RunSetup, state: RunState, folder: RunFolder | None, interrupt: Interrupt
    ) -> None:
        self.setup, self.state, self.folder, self.interrupt = setup, state, folder, interrupt
        self._events = _event_writer(folder) if folder and setup.settings.tensorboard else None
        self._saved_at = time.monotonic()

    def log(self, event: str, **facts: Any) -> None:
        """Append a line to the log."""
        if self.folder:
            self.folder.log(event, **facts)

    def log_epoch(self, facts: Mapping[str, float]) -> None:
        """Append what was measured in an epoch, and show it in TensorBoard."""
        epoch = self.state.progress.epoch
        self.log("epoch", epoch=epoch, **facts)
        if self._events is not None:
            for name, value in facts.items():
                self._events.add_scalar(name, value, epoch)
            self._events.flush()

    def after_batch(self) -> None:
        """A checkpoint where one is due. Where Ctrl-C was pressed, a last one; then raises KeyboardInterrupt.

        Raises TrainingError where a weight is no longer finite.
        """
        if self.folder is None:
            return
        due = time.monotonic() - self._saved_at >= 60 * self.setup.settings.checkpoint_minutes
        if due or self.interrupt.asked:
            self.checkpoint()
        if self.interrupt.asked:
            epoch, phase, batch = self.state.progress.position
            self.log("stop", epoch=epoch, phase=phase, batch=batch)
            raise KeyboardInterrupt

    def checkpoint(self) -> None:
        """Replace the checkpoint. Raises TrainingError where a weight is no longer finite."""
        if self.folder is None:
            return
        check_arrays(self.setup, self.state.progress, self.state.arrays())
        self.state.save(self.folder)
        self._saved_at = time.monotonic()


def _event_writer(folder: RunFolder) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as cause:
        raise ParameterError("training.tensorboard=true needs the package tensorboard: install it") from cause
    return SummaryWriter(folder.path)
