"""A model's settings in words, for ``isotherm fit --model NAME --help-model``."""

import textwrap

_WIDTH = 100


def model_help(model_class: type) -> str:
    """What a model is, each of its settings on a line, and what its settings may be chosen from."""
    from isotherm.models.parameter_docs import choices_of, description, settings_of

    lines = [_without_examples(description(model_class)), "", "settings (--set name=value):"]
    for name, entry in settings_of(model_class):
        said = f"{name} ({entry.bounds}): {entry.text}"
        lines += textwrap.wrap(said, _WIDTH, initial_indent="  ", subsequent_indent="      ")
    for title, text in choices_of(model_class):
        lines += ["", f"{title}:", textwrap.indent(_without_examples(text), "  ")]
    return "\n".join(lines)


def _without_examples(docstring: str) -> str:
    """The paragraphs that are no ``>>>`` example, which is Python."""
    paragraphs = docstring.split("\n\n")
    return "\n\n".join(each for each in paragraphs if not each.startswith(">>> "))
