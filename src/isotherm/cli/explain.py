"""isotherm explain"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from isotherm.cli import options as o
from isotherm.cli.outputs import OutputFile, check_outputs, saved_model
from isotherm.cli.results import plain_rows, show_table

if TYPE_CHECKING:
    import polars as pl

    from isotherm.models.requests.explanation import Explanation


def explain(
    model: o.ModelFolder,
    user: Annotated[str, typer.Option(help="Id of a user the model was fitted on.")],
    item: Annotated[str, typer.Option(help="Id of the item that is or might be shown.")],
    k: Annotated[int, typer.Option("-k", help="How many clicked items and fields to show.")] = 10,
    verb: Annotated[
        str, typer.Option(help="What users do to items, in the past tense: watched, bought.")
    ] = "clicked",
    exact: Annotated[
        bool, typer.Option("--exact", help="Show the terms as the model has them: pairs of fields apart.")
    ] = False,
    json: o.JSONFile = None,
    quiet: o.Quiet = False,
) -> None:
    """Show why a user is shown an item: a sentence, then the shares of its score by clicked item and field.

    Shares add up to the score; percent are of all that speaks for the item.

    Example: isotherm explain --model model --user 196 --item 242
    """
    check_outputs({"--model": saved_model(model)}, OutputFile("--json", json, (".json",)))

    from isotherm.checks import whole
    from isotherm.files import write_json
    from isotherm.models.persistence import load

    whole("-k", k, 1)
    o.begin(quiet)
    explanation = load(model).explain(user, item)
    if json is not None:
        write_json(json, {"user": user, "item": item, **_document(explanation, verb)})
    _show(explanation, k, verb, exact)


def _document(explanation: "Explanation", verb: str) -> dict[str, Any]:
    """The explanation as plain JSON."""
    tables = {"by_field": explanation.by_field, "by_term": explanation.by_term}
    return {
        "title": explanation.title,
        "text": explanation.text(verb),
        "score": explanation.score,
        "answered_by": explanation.answered_by,
        "new": explanation.new,
        "item_clicks": explanation.item_clicks,
        "certainty": explanation.certainty,
        "by_item": plain_rows(explanation.by_item),
        **{name: None if table is None else plain_rows(table) for name, table in tables.items()},
    }


def _show(explanation: "Explanation", k: int, verb: str, exact: bool) -> None:
    """The sentence, the score and its k largest shares, on the terminal."""
    typer.echo(explanation.text(verb))
    certainty = "" if explanation.certainty is None else f", certainty {explanation.certainty:.2f}"
    if explanation.answered_by == "popularity":
        typer.echo(f"score {explanation.score:g}: the number of clicks of the item")
        return
    typer.echo(f"score {explanation.score:.4f}{certainty}")
    _show_shares(explanation.by_item, k, 2)
    if exact and explanation.by_term is not None:
        _show_shares(explanation.by_term, k, 1)
    elif explanation.by_field is not None:
        _show_shares(explanation.by_field, k, 2)


def _show_shares(table: "pl.DataFrame", k: int, words: int) -> None:
    """The first k rows, then the others together.  words: the columns of text, which come first."""
    from isotherm.data.wording import counted, one_line

    if table[:, 1].null_count() == table.height and words > 1:
        table, words = table.drop(table.columns[1]), 1
    rows = [
        [
            *("" if cell is None else one_line(str(cell)) for cell in row[:words]),
            *_figures(table.columns, row),
        ]
        for row in table.head(k).rows()
    ]
    others = table[k:]
    if others.height:
        sums = {name: others[name].sum() for name in table.columns[words:]}
        row = (counted(others.height, "other"), *[""] * (words - 1), *sums.values())
        rows.append([*map(str, row[:words]), *_figures(table.columns, row)])
    show_table(table.columns, rows, words)


def _figures(names: list[str], row: tuple[Any, ...]) -> list[str]:
    """The share, and its percent where the table has one; nothing for what speaks against the item."""
    shown = {"share": "{:+.4g}", "percent": "{:.1f}%"}
    return [
        "" if value is None else shown[name].format(value)
        for name, value in zip(names, row, strict=True)
        if name in shown
    ]
