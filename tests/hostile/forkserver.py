"""Runs the command line again and again in fresh processes, without the seconds that importing it costs.

One process imports isotherm and what its commands import in turn, then forks for each line it is given: the
child is the command as a person would start it, with its own arguments, folder, environment and exit code.
"""

import gc
import json
import os
import resource
import runpy
import subprocess
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from isotherm.models.registry import REGISTRY

IMPORTED = (
    "altair", "isotherm.cli.app", "isotherm.cli.main", "isotherm.cli.process", "isotherm.data",
    "isotherm.evaluation", "isotherm.geometry", "isotherm.launcher", "isotherm.models.mmr",
    "isotherm.models.persistence", "isotherm.tuning.cell", "pyarrow.parquet", "sklearn.manifold",
    "torch._dynamo", "typer._adapters", *sorted({target.partition(":")[0] for target in REGISTRY.values()}),
)  # fmt: skip


@contextmanager
def served():
    """A process that has imported all of IMPORTED."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.hostile.forkserver"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    ) as server:  # fmt: skip
        yield server
        server.stdin.close()


def serve():
    """Answer each JSON line {argv, cwd, env, out, err} on stdin with the child's exit code on stdout.

    module or code: what is run in place of the command line.  wait false: the answer is the child's process
    id, and {"reap": id} is answered with its exit code once it has one, with null before.
    """
    _import()
    for line in sys.stdin:
        asked = json.loads(line)
        if "reap" in asked:
            child, status = os.waitpid(asked["reap"], os.WNOHANG)
            print(os.waitstatus_to_exitcode(status) if child else "null", flush=True)
            continue
        child = os.fork()
        if not child:
            _become(asked)
        if asked.get("wait", True):
            _, status = os.waitpid(child, 0)
            child = os.waitstatus_to_exitcode(status)
        print(child, flush=True)


def _import():
    """Also what numba imports before the first kernel; none of it starts the pool of threads of a library."""
    for module in IMPORTED:
        import_module(module)
    from numba.core.registry import cpu_target

    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()
    gc.freeze()  # a child that collects would copy all of it


def _run(asked):
    if "module" in asked:
        runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)
    elif "code" in asked:
        exec(asked["code"], {})
    else:
        from isotherm.cli.main import run

        run()


def _become(asked):
    for number, name in ((0, os.devnull), (1, asked["out"]), (2, asked["err"])):
        file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        os.dup2(file, number)
    os.chdir(asked["cwd"])
    os.environ.update(asked["env"])
    sys.argv = ["isotherm", *asked["argv"]]
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode) for number, mode in enumerate("rww"))  # noqa: SIM115
    sys.stderr.reconfigure(errors="backslashreplace")  # as Python opens it
    if "FILE_SIZE_LIMIT" in os.environ:
        limit = int(os.environ["FILE_SIZE_LIMIT"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    code = 0
    try:
        _run(asked)
    except SystemExit as stop:
        code = stop.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 70  # what no well-behaved command answers with
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    serve()
