"""The house keeps its own rules: imports run one way, the core imports fast, nothing is pickled."""

import ast
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "isotherm"
MODELS = SOURCE / "models"
#: A room imports from lower floors and from itself, never from a neighbour or from above.
FLOORS = [
    {"errors", "progress", "streams", "types", "version"},
    {"checks", "devices", "files", "launcher", "memory", "parameters", "threads", "untrusted"},
    {"folders", "kernels", "state"},
    {"linalg"},
    {"data"},
    {"features", "ranking"},
    {"models"},
    {"evaluation"},
    {"geometry"},
    {"tuning"},
    {"experiment"},
    {"report"},
    {"serving"},
    {"cli"},
    {"__init__", "__main__"},
]
#: The same within models/.
MODEL_FLOORS = [
    {"catalogue", "choice", "fit_inputs", "registry"},
    {"new_items", "parameter_docs", "persistence", "scorer"},
    {"bulk", "fitting", "requests"},
    {"base"},
    {"cold_start", "factorization", "linear", "popularity"},
    {"kernel_ridge", "mmr", "neighbours", "vae"},
    {"marec"},
]
#: The same within models/vae/.
VAE_FLOORS = ["network", "objective", "auto", "training", "base", "multvae", "multdae", "recvae"]
#: The same within serving/.
SERVING_FLOORS = [
    {"catalogue", "database", "page"},
    {"browsing", "live", "refit"},
    {"shared"},
    {"app"},
    {"workers"},
    {"__init__"},
]
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
#: What linalg/ stands on: nothing that knows an id, an item or a model.
GROUND_OF_NUMERICS = {"devices", "errors", "kernels", "memory", "progress", "threads", "types"}
MODEL_LEVEL = {room: level for level, rooms in enumerate(MODEL_FLOORS) for room in rooms}
HEAVY = (
    "torch",
    "numpy",
    "scipy",
    "numba",
    "polars",
    "pandas",
    "pyarrow",
    "sklearn",
    "altair",
    "typer",
    "jinja2",
    "sqlalchemy",
    "fastapi",
)


def modules():
    return sorted(SOURCE.rglob("*.py"))


def imports(file):
    """Every module that a file reads from, by its whole name; not what it names in types alone."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for_types = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    ]
    skipped = {node for block in for_types for each in block.body for node in ast.walk(each)}
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name} imports by a relative name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("file", modules(), ids=lambda file: str(file.relative_to(SOURCE)))
def test_imports_run_one_way(file):
    room = file.relative_to(SOURCE).parts[0].removesuffix(".py")
    for name in imports(file):
        parts = name.split(".")
        assert "pickle" not in parts
        if parts[0] == "isotherm":
            assert parts[1] == room or LEVEL[parts[1]] < LEVEL[room], f"{file.name} imports {name}"


@pytest.mark.parametrize(
    "file",
    [file for file in modules() if file.parent.is_relative_to(MODELS) and file != MODELS / "__init__.py"],
    ids=lambda file: str(file.relative_to(MODELS)),
)
def test_imports_run_one_way_among_models(file):
    room = file.relative_to(MODELS).parts[0].removesuffix(".py")
    for name in imports(file):
        if name.startswith("isotherm.models."):
            imported = name.split(".")[2]
            assert imported == room or MODEL_LEVEL[imported] < MODEL_LEVEL[room], (
                f"{file.name} imports {name}"
            )


def test_imports_run_one_way_within_vae():
    for file in (MODELS / "vae").rglob("*.py"):
        room = file.relative_to(MODELS / "vae").parts[0].removesuffix(".py")
        for name in imports(file):
            if name.startswith("isotherm.models.vae.") and room != "__init__":
                imported = name.split(".")[3]
                lower = VAE_FLOORS.index(imported) < VAE_FLOORS.index(room)
                assert imported == room or lower, f"{file.name} imports {name}"


def test_imports_run_one_way_within_serving():
    level = {room: level for level, rooms in enumerate(SERVING_FLOORS) for room in rooms}
    for file in (SOURCE / "serving").rglob("*.py"):
        room = file.relative_to(SOURCE / "serving").parts[0].removesuffix(".py")
        for name in imports(file):
            if name.startswith("isotherm.serving."):
                imported = name.split(".")[2]
                assert imported == room or level[imported] < level[room], f"{file.name} imports {name}"


def test_numerics_know_arrays_only():
    for file in (SOURCE / "linalg").glob("*.py"):
        for name in imports(file):
            if name.startswith("isotherm."):
                room = name.split(".")[1]
                assert room in GROUND_OF_NUMERICS | {"linalg"}, f"{file.name} imports {name}"


def test_modules_are_not_hidden_by_what_they_hold():
    """``import isotherm.geometry.collapse`` gives the module of that name, from its package too."""
    pytest.importorskip("torch")
    for file in modules():
        name = ".".join(file.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
        if name.endswith("__main__"):
            continue
        module = import_module(name)
        package, _, attribute = name.rpartition(".")
        if package:
            assert getattr(import_module(package), attribute) is module, name


def test_kernels_are_compiled_in_one_way():
    for file in modules():
        if file.name != "kernels.py" or file.parent != SOURCE:
            assert "njit" not in file.read_text(encoding="utf-8"), file


def test_import_loads_nothing_heavy():
    code = f"import sys, isotherm; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_help_loads_nothing_heavy_but_the_command_line():
    code = f"""
import sys
from isotherm.cli.main import run
sys.argv = ["isotherm", "--help"]
try:
    run()
except SystemExit:
    print([m for m in {HEAVY!r} if m in sys.modules and m != "typer"], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_a_server_loads_nothing_that_only_a_fit_needs():
    pytest.importorskip("fastapi")
    code = """
import sys, isotherm.models.persistence, isotherm.serving.app.factory
print([m for m in ("sklearn", "pandas", "scipy.stats", "torch", "rich", "alembic") if m in sys.modules])
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize(("given", "expected"), [({}, "16"), ({"OPENBLAS_THREAD_TIMEOUT": "20"}, "20")])
def test_idle_threads_of_blas_sleep_unless_told_otherwise(given, expected):
    """What they read must be there before NumPy is imported."""
    code = "import os, sys, isotherm; print(os.environ['OPENBLAS_THREAD_TIMEOUT'], 'numpy' in sys.modules)"
    others = {name: value for name, value in os.environ.items() if name != "OPENBLAS_THREAD_TIMEOUT"}
    told = subprocess.check_output([sys.executable, "-c", code], text=True, env={**others, **given})
    assert told.split() == [expected, "False"]


def test_every_export_is_there():
    import isotherm

    for name in isotherm.__all__:
        assert getattr(isotherm, name) is not None
    for_types = {
        alias.name: node.module
        for node in ast.walk(ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.col_offset and node.module.startswith("isotherm.")
        for alias in node.names
    }
    assert for_types == isotherm._EXPORTS
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        isotherm.Nothing  # noqa: B018
