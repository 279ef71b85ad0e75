"""What all figures share: colours, the style, and SVG text drawn without a browser or a network."""

from typing import Any

import polars as pl

INK, BAR, HIGHLIGHT = "#1c2430", "#7f9cb8", "#d1495b"
LINES = [HIGHLIGHT, "#3d6f9e", "#5b8c5a", "#b08d3e", "#7a5c99", "#5b6675", "#2a9d8f", "#e07a5f"]
_FONT = "Helvetica, Arial, sans-serif"


def inline(rows: pl.DataFrame) -> Any:
    """Rows as the data of a chart."""
    from isotherm.report.drawing import alt

    return alt.Data(values=rows.to_dicts())


def header(expression: str, orient: str = "top") -> Any:
    """Header of a panel."""
    from isotherm.report.drawing import alt

    left: dict[str, Any] = {"labelAngle": 0, "labelAlign": "left"} if orient == "left" else {}
    return alt.Header(labelExpr=expression, labelFontSize=13, labelFontWeight="bold", labelColor=INK, **left)


def svg(chart: Any) -> str:
    """A chart in the style of the reports, as SVG text."""
    import vl_convert

    styled = (
        chart.configure(font=_FONT, background="transparent")
        .configure_view(stroke=None)
        .configure_axis(labelColor=INK, titleColor=INK, gridColor="#e3e7ec", domain=False, labelLimit=260)
    )
    return str(vl_convert.vegalite_to_svg(styled.to_dict()))
