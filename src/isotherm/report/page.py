"""One self-contained HTML page: no script, no network, figures inline."""

import os
from abc import ABC, abstractmethod
from typing import Any

from isotherm.files import text_writer, write_atomically
from isotherm.report.tables import interval, number, p_value


class Page(ABC):
    """A page: what it says is ``html``."""

    @abstractmethod
    def html(self) -> str:
        """The page."""

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the page whole or not at all."""
        write_atomically(path, text_writer(self.html()))


def render(template: str, **values: Any) -> str:
    """A page from a template of this room."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("isotherm.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"number": number, "interval": interval, "p_value": p_value}
    return str(environment.get_template(template).render(**values))
