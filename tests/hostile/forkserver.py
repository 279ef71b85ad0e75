"""Runs the command line again and again in fresh processes, without the half second that importing it costs.

One process imports isotherm and nothing more, then forks for each line it is given: the child is the command
as a person would start it, with its own arguments, folder, environment and exit code.
"""

import json
import os
import sys
from importlib import import_module


def serve():
    """Answer each JSON line {argv, cwd, env, out, err} on stdin with the child's exit code on stdout."""
    import isotherm.cli.main
    import isotherm.data
    import isotherm.models.registry  # noqa: F401

    for module in sys.argv[1:]:  # what the commands at hand need as well
        import_module(module)

    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            _become(asked)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(asked):
    from isotherm.cli.main import run

    for number, name in ((0, os.devnull), (1, asked["out"]), (2, asked["err"])):
        file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
    os.chdir(asked["cwd"])
    os.environ.update(asked["env"])
    sys.argv = ["isotherm", *asked["argv"]]
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode) for number, mode in enumerate("rww"))  # noqa: SIM115
    code = 0
    try:
        run()
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
