"""What deploy/ and docs/on-the-air.md say: options exist, units are valid, metrics are those that are."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from isotherm.cli.app import app

ROOT = Path(__file__).parent.parent
DEPLOY, PAGE = ROOT / "deploy", ROOT / "docs" / "on-the-air.md"
METRICS = ROOT / "src" / "isotherm" / "serving" / "app" / "metrics.py"


def options_of(*words):
    """The options of a command of isotherm."""
    command = get_command(app)
    for word in words:
        command = command.commands[word]
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


def text_of(file):
    return file.read_text(encoding="utf-8").replace("\\\n", " ")


def test_options_that_are_shown_exist():
    shown = 0
    for file in (PAGE, *DEPLOY.iterdir()):
        for line in text_of(file).splitlines():
            for words in re.findall(
                r"\bisotherm(?: -\S+)* ((?:serve|fit|refit|events export)\b[^`|#]*)", line
            ):
                command = ["events", "export"] if words.startswith("events") else words.split()[:1]
                given = set(re.findall(r"(?<!\S)(--?[a-z][a-z-]*)", words))
                assert given <= options_of(*command), (file.name, line)
                shown += len(given)
    assert shown > 15
    mentioned = set(re.findall(r"`(--[a-z-]+)[ `]", PAGE.read_text(encoding="utf-8")))
    of_others = {"--inplace", "--max-time"}
    assert mentioned - of_others <= options_of("serve") | options_of("refit"), mentioned


def test_the_container_is_as_the_page_says():
    lines = text_of(DEPLOY / "Containerfile").splitlines()
    told = {line.split()[0]: line for line in lines if line and not line.startswith((" ", "#"))}
    assert told["USER"] == "USER 10001"
    assert "torch" not in "".join(line for line in lines if not line.startswith("#"))
    assert any("/readyz" in line for line in lines)
    given = set(re.findall(r'"(--[a-z-]+)"', told["CMD"]))
    assert given <= options_of("serve")
    for source in re.findall(r"^COPY (?!--from)(.*) \S+$", "\n".join(lines), re.M):
        assert all((ROOT / name).exists() for name in source.split()), source


def test_units_are_valid(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze")
    for file in DEPLOY.glob("*.service"):
        unit = re.sub(r"^(ExecStart)=\S+", r"\1=/bin/true", text_of(file), flags=re.M)
        (tmp_path / file.name).write_text(unit)
    shutil.copy(DEPLOY / "isotherm-refit.timer", tmp_path)
    units = sorted(tmp_path.iterdir())
    assert len(units) == 3
    for unit in units:
        done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
        assert (done.returncode, unit.name in done.stderr) == (0, False), done.stderr


def test_metrics_of_the_page_are_those_that_there_are():
    page, code = PAGE.read_text(encoding="utf-8"), METRICS.read_text(encoding="utf-8")
    names = set(re.findall(r'(?:counter|gauge)\("(\w+)"', code)) | set(re.findall(r'"isotherm_(\w+)"', code))
    told = {name.removesuffix("_total") for name in re.findall(r"isotherm_([a-z_]+[a-z])", page)}
    assert told <= names | {"requests"}, told - names
    assert names - told == set(), names - told


SERVER = """#!/bin/sh
echo "$@" >> {log}; cat >> {log}
{end}
"""


@pytest.mark.parametrize("swapped", [True, False])
def test_the_nightly_script_keeps_what_it_should(tmp_path, swapped):
    """With programs in the place of isotherm and curl."""
    models, tools, log = tmp_path / "models", tmp_path / "tools", tmp_path / "log"
    tools.mkdir()
    for n in range(4):
        (models / f"2020010{n}T000000Z").mkdir(parents=True)
    (models / "current").symlink_to(models / "20200103T000000Z")
    (tmp_path / "token").write_text("secret")
    made = f'#!/bin/sh\necho "$@" >> {log}\nfor last; do :; done; mkdir "$last"\n'
    (tools / "isotherm").write_text(made)
    (tools / "curl").write_text(SERVER.format(log=log, end="" if swapped else "exit 22"))
    for tool in tools.iterdir():
        tool.chmod(0o755)
    environment = {
        "PATH": f"{tools}:/usr/bin:/bin", "DB": "sqlite:///x.db", "MODELS": str(models),
        "TOKEN": str(tmp_path / "token"),
    }  # fmt: skip
    done = subprocess.run([DEPLOY / "refit-and-swap"], env=environment, capture_output=True, text=True)
    assert (done.returncode == 0) == swapped, done.stderr
    told = log.read_text().splitlines()
    assert told[0].startswith(f"refit --quiet --model {models}/current --out {models}/2")
    assert "secret" not in told[1]
    assert told[2] == "Authorization: Bearer secret"
    there = sorted(path.name for path in models.glob("2*Z"))
    assert len(there) == (3 if swapped else 5)
    assert (models / "current").resolve().name == (there[-1] if swapped else "20200103T000000Z")
