"""Runs the command line again and again in fresh processes, without the half second that importing it costs.

One process imports isotherm and nothing more, then forks for each line it is given: the child is the command
as a person would start it, with its own arguments, folder, environment and exit code.
"""

import json
import os
import resource
import runpy
import subprocess
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path


@contextmanager
def served(*imported):
    """A process that has imported isotherm, and these modules."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.hostile.forkserver", *imported],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    ) as server:  # fmt: skip
        yield server
        server.stdin.close()


def serve():
    """Answer each JSON line {argv, cwd, env, out, err} on stdin with the child's exit code on stdout.

    module or code: what is run in place of the command line.  wait false: the answer is the child's process
    id, and {"reap": id} is answered with its exit code once it has one, with null before.
    """
    import isotherm.cli.app
    import isotherm.cli.main
    import isotherm.data
    import isotherm.models.registry  # noqa: F401

    for module in sys.argv[1:]:  # what the commands at hand need as well
        import_module(module)

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
        file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
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
