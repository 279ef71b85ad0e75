"""A process ends with its parent, however that ended."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.mark.skipif(not Path("/proc").exists(), reason="asks /proc whether a process runs")
def test_a_process_ends_with_the_one_that_started_it():
    """Also where that was killed and could tell nobody."""
    child = (
        "import time; from isotherm.tuning.parent_process import end_with_parent; "
        "end_with_parent(0.05); time.sleep(60)"
    )
    parent = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {child!r}])
print(child.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as started:
        pid = int(started.stdout.readline())
        time.sleep(1)
        os.kill(pid, 0)  # it runs while its parent does
        started.kill()
    for _ in range(200):
        if not Path(f"/proc/{pid}").exists() or "Z (" in Path(f"/proc/{pid}/status").read_text():
            return
        time.sleep(0.05)
    pytest.fail("the child goes on without its parent")
