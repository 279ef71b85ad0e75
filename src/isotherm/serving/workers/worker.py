"""A worker: a process that answers requests on the port of its parent.

Its only argument is the number of an open file: its end of a pair of sockets. The parent writes there, as one
line, what the worker must know; the worker says that it is ready, or in words why it cannot start. When the
stream ends, the parent is gone, however it ended, and the worker ends as though it had been told to.
"""

import gc
import logging
import os
import shutil
import signal
import socket
import sys
from contextlib import suppress

from isotherm.errors import told
from isotherm.serving.workers.channel import METRICS, WORKER, Task

_CANNOT_START = 3  # exit code
_SWITCH_SECONDS = 0.0005  # that a thread in the background may keep the event loop waiting


def run() -> None:
    """The process; it does not return."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent as well, which says what to do
    gc.disable()  # what is made until it serves stays: nobody shall wait while it is looked through
    sys.setswitchinterval(_SWITCH_SECONDS)
    channel = socket.socket(fileno=int(sys.argv[1]))
    try:
        _count_as(os.environ[WORKER])
        import isotherm.serving.workers.application  # while the parent prepares what the task is about
        import isotherm.serving.workers.server  # noqa: F401

        with channel.makefile("rb", buffering=0) as lines:
            line = lines.readline()
        if line:
            _serve(Task.of(line), channel)
        code = 0
    except SystemExit as ended:  # of uvicorn, which has said why
        code = _CANNOT_START if ended.code else 0
    except Exception as cause:
        logging.getLogger(__name__).debug("cannot start", exc_info=cause)
        with suppress(OSError):
            channel.sendall(told(cause)[0].removeprefix("error: ").encode() + b"\n")
        code = _CANNOT_START
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)  # a thread that waits for a database that hangs would hold the process


def _serve(task: Task, channel: socket.socket) -> None:
    """Answer requests until it is told to end."""
    logging.basicConfig(format=f"%(asctime)s %(levelname)s worker {task.number}: %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # of what is no HTTP, no log is filled
    from isotherm.serving.workers.application import application
    from isotherm.serving.workers.server import WorkerServer

    rates = os.fdopen(task.rates, "r+b")  # kept open: its lock tells that this server lives
    app = application(task.settings, task.verified, rates)
    gc.freeze()
    gc.enable()
    ending, proxies = task.settings.ending, task.settings.proxies
    server = WorkerServer(app, ending, proxies, channel)
    signal.signal(signal.SIGTERM, server.handle_exit)  # also before it serves, and once more while it ends
    server.run([socket.socket(fileno=task.port)])
    if server.parent_is_gone:
        shutil.rmtree(os.environ[METRICS], ignore_errors=True)


def _count_as(number: str) -> None:
    """Let metrics of this process go on in the files of the worker whose number it has, not in those of its
    process id: a worker that took another's place would leave its files behind, and each scrape read them."""
    from prometheus_client import values

    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    run()
