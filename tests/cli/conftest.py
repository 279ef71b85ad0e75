"""The command line in processes that need not import it anew."""

import pytest


@pytest.fixture
def isotherm(forks, tmp_path_factory):
    """Run one command; returns exit code, stdout, stderr."""
    told = [tmp_path_factory.mktemp("told") / name for name in ("out", "err")]

    def run(*arguments):
        code = forks.start(*arguments, out=told[0], err=str(told[1])).wait()
        return code, *(file.read_text(encoding="utf-8") for file in told)

    return run
