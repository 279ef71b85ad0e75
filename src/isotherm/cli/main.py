"""Runs one command and ends the process: whatever happens, a person reads one clear line and no traceback.

Next to nothing is imported before Ctrl-C has its answer.
"""

import os
import signal
import sys

_INTERRUPTED = 130  # exit code
_SECONDS_TO_STOP = 2.0
_pressed = False


def run() -> None:
    """Entry point of the console script; it does not return."""
    try:
        _answer_interrupts()
        from isotherm.cli.process import command

        code = command()
    except BaseException as error:
        code = _end(error)
    if _pressed:
        _stop()
    sys.exit(code)


def _end(error: BaseException) -> int:
    if _pressed:  # an import that is broken off raises almost anything
        _stop()
    from isotherm.cli.process import end

    return end(error)


def _stop() -> None:
    """End at once: threads may still have work in their queue."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        print("error: interrupted", file=sys.stderr, flush=True)
    finally:
        os._exit(_INTERRUPTED)


def _answer_interrupts() -> None:
    """Ctrl-C raises KeyboardInterrupt, as ever, and once more where a library has swallowed it."""

    def interrupt(number: int, frame: object) -> None:
        global _pressed
        _pressed = True
        signal.setitimer(signal.ITIMER_REAL, _SECONDS_TO_STOP)  # if the process still runs then
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGALRM, interrupt)
    shown = sys.unraisablehook
    sys.unraisablehook = lambda told: None if _pressed else shown(told)
