"""isotherm explain"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from isotherm.cli import options as o
from isotherm.cli.outputs import OutputFile, check_outputs, saved_model
from isotherm.cli.results import plain_rows, show_frame

if TYPE_CHECKING:
    from isotherm.models.requests.explanation import Explanation


def explain(
    model: o.ModelFolder,
    user: Annotated[str, typer.Option(help="Id of a user the model was fitted on.")],
    item: Annotated[str, typer.Option(help="Id of the item that is or might be shown.")],
    k: Annotated[int, typer.Option("-k", help="How many clicked items and fields to show.")] = 10,
    json: o.JSONFile = None,
    quiet: o.Quiet = False,
) -> None:
    """Show why a user is shown an item: the shares of its score, by clicked item and by metadata field.

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
        write_json(json, {"user": user, "item": item, **_document(explanation)})
    _show(explanation, k)


def _document(explanation: "Explanation") -> dict[str, Any]:
    """The explanation as plain JSON."""
    by_field = explanation.by_field
    return {
        "score": explanation.score,
        "answered_by": explanation.answered_by,
        "certainty": explanation.certainty,
        "by_item": plain_rows(explanation.by_item),
        "by_field": None if by_field is None else plain_rows(by_field),
    }


def _show(explanation: "Explanation", k: int) -> None:
    """The score and its k largest shares, on the terminal."""
    if explanation.answered_by == "popularity":
        why = "the user has no history and is shown popular items, by their clicks"
        typer.echo(f"score {explanation.score:g}: {why}")
        return
    certainty = "" if explanation.certainty is None else f", certainty {explanation.certainty:.2f}"
    typer.echo(f"score {explanation.score:.4f}{certainty}")
    show_frame(explanation.by_item.head(k))
    if explanation.by_field is not None:
        show_frame(explanation.by_field.head(k))
