"""Functions are short, and constructors take few arguments: which take more says why here."""

import ast
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src" / "isotherm"
LONGEST_FUNCTION = 40  # lines of signature, docstring and body
MOST_ARGUMENTS = 8

#: class -> why its constructor takes more; hyper-parameters, which a ``Parameters:`` section tells, are free
MANY_ARGUMENTS = {
    "data/datasets/catalogue.py:Dataset": "the facts of a data set, each shown by isotherm datasets info",
    "data/hidden_clicks.py:Split": "the parts of a split; all but five have a default",
    "experiment/offpolicy/weights.py:Overlap": "the figures of a log's overlap, one per field",
    "experiment/log/counts.py:Counts": "a count for each rule; all are zero at first",
    "experiment/log/rules.py:Rules": "the rules of reading a log, told in the report; all have a default",
    "experiment/log/users.py:Users": "a row for each user, a column for each measurement",
    "geometry/study.py:Geometry": "the measurements of a study, one per field",
    "experiment/plan/experiment.py:Experiment": "the keys of a plan; all but two have a default",
    "evaluation/results.py:ModelResult": "what one model did, a field each",
    "experiment/analysis/effects.py:Effect": "the figures of an effect, one per field",
    "experiment/analysis/result.py:Result": "the parts of an analysis, each under its name in result.json",
    "experiment/interleaving/comparison.py:Preference": "the figures of a comparison, one per field",
    "models/kernel_ridge/columns.py:Scales": "the symbols of one formula, one each",
    "models/vae/training/progress.py:Progress": "the figures that a checkpoint keeps",
    "models/requests/explanation.py:Explanation": "what is told of one score, each under its name",
    "serving/app/limits.py:Limits": "the limits of requests, each told in its own answer; all have a default",
    "serving/workers/settings.py:ServerSettings": "what a server is told, an option each",
    "state/fields.py:Dense": "what a declared array may be held to; all but three have a default",
}


def definitions(kind):
    """(file:name, file, node) of every definition of a kind."""
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, kind):
                yield f"{file.relative_to(SOURCE)}:{node.name}", file, node


def length(file, function):
    """Lines of a function without examples and, of a command, without its declared options."""
    lines = function.end_lineno - function.lineno + 1
    docstring = ast.get_docstring(function) or ""
    if ">>> " in docstring:
        lines -= docstring[docstring.index(">>> ") :].count("\n") + 2
    if file.parent.name == "cli" and function.name.rstrip("_") == file.stem.removeprefix("experiment_"):
        lines -= function.body[0].lineno - function.lineno
    return lines


def n_arguments(definition):
    """Arguments of a class's own constructor, fields of a dataclass."""
    constructors = [
        each for each in definition.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"
    ]
    if constructors:
        arguments = constructors[0].args
        return len(arguments.args) - 1 + len(arguments.kwonlyargs)
    if not any("dataclass" in ast.unparse(each) for each in definition.decorator_list):
        return 0
    annotated = [each for each in definition.body if isinstance(each, ast.AnnAssign)]
    return sum("ClassVar" not in ast.unparse(each.annotation) for each in annotated)


def test_functions_are_short():
    functions = definitions(ast.FunctionDef | ast.AsyncFunctionDef)
    assert not [name for name, file, node in functions if length(file, node) > LONGEST_FUNCTION]


def test_constructors_take_few_arguments():
    many = {
        name
        for name, _, node in definitions(ast.ClassDef)
        if n_arguments(node) > MOST_ARGUMENTS and "Parameters:" not in (ast.get_docstring(node) or "")
    }
    assert many == set(MANY_ARGUMENTS)


def test_sizes_are_counted_as_they_are_told():
    function = ast.parse('def f(a):\n    """Doc.\n\n    >>> f(1)\n    2\n    """\n    return a\n').body[0]
    assert length(Path("a.py"), function) == 4
    command = ast.parse("def fit(\n    a,\n    b,\n):\n    return a\n").body[0]
    assert (length(Path("cli/fit.py"), command), length(Path("fit.py"), command)) == (1, 5)
    made = ast.parse("class A:\n    def __init__(self, a, *, b=1): ...\n").body[0]
    fields = ast.parse("@dataclass\nclass A:\n    a: int\n    b: ClassVar[int]\n    c: int = 1\n").body[0]
    assert (n_arguments(made), n_arguments(fields), n_arguments(ast.parse("class A: ...").body[0])) == (
        2,
        2,
        0,
    )
