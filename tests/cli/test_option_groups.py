"""Options that stand in a dataclass are options of the command like others."""

import inspect
from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from isotherm.cli.option_groups import with_option_groups


@dataclass(frozen=True)
class Names:
    first: Annotated[str, typer.Option(help="Given.")] = "ann"
    last: Annotated[str | None, typer.Option("--family", help="Inherited.")] = None


@with_option_groups
def greet(*, times: int = 1, names: Names, loud: bool = False) -> None:
    """Greet."""
    typer.echo(f"{times} {names.first} {names.last} {loud}")


app = typer.Typer()
app.command()(greet)


def test_a_group_is_given_as_its_options():
    shown = CliRunner().invoke(app, ["--first", "bob", "--family", "may", "--loud"]).output
    assert shown == "1 bob may True\n"
    assert CliRunner().invoke(app, []).output == "1 ann None False\n"


def test_options_stand_in_the_help_where_the_group_stands():
    assert list(inspect.signature(greet).parameters) == ["times", "first", "last", "loud"]
    shown = CliRunner().invoke(app, ["--help"]).output
    assert shown.index("--times") < shown.index("--first") < shown.index("--family") < shown.index("--loud")
    assert "Greet." in shown


def test_a_call_in_python_may_leave_out_what_has_a_default(capsys):
    greet(last="may")
    assert capsys.readouterr().out == "1 ann may False\n"
