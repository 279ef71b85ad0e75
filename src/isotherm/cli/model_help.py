"""A model's settings in words, for ``isotherm fit --model NAME --help-model``."""

import textwrap

_WIDTH = 100


def model_help(model_class: type) -> str:
    """What a model is, each of its settings on a line, and what its settings may be chosen from."""
    from isotherm.models.parameter_docs import choices_of, description, settings_of

    lines = [description(model_class), "", "settings (--set name=value):"]
    for name, entry in settings_of(model_class):
        said = f"{name} ({entry.bounds}): {entry.text}"
        lines += textwrap.wrap(said, _WIDTH, initial_indent="  ", subsequent_indent="      ")
    for title, text in choices_of(model_class):
        lines += ["", f"{title}:", textwrap.indent(text, "  ")]
    return "\n".join(lines)
