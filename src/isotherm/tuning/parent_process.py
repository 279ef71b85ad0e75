"""The end of a process with the one that started it: no cell of a sweep goes on alone."""

import os
import threading
import time


def end_with_parent(seconds: float = 0.5) -> None:
    """End this process soon after the one that started it has ended, however that ended."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(seconds)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
