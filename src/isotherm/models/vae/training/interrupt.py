"""Ctrl-C in the middle of a step would leave weights half updated: here it waits until the step is done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """asked: whether Ctrl-C was pressed."""

    asked = False


@contextmanager
def waiting_interrupt() -> Iterator[Interrupt]:
    """The first Ctrl-C only sets ``asked``; a second one interrupts at once.

    Nothing changes outside the main thread, or where the program handles Ctrl-C by itself.
    """
    interrupt = Interrupt()
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield interrupt
        return

    def first(number: int, frame: FrameType | None) -> None:
        interrupt.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, first)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
