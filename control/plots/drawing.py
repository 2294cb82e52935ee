"""Figures to SVG and PNG: the same bytes for the same data, and colours that follow the page's."""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from html import escape
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Draw = Callable[["Axes"], None]

# Each colour of a plot is one of these. In SVG it becomes the page's own variable, so that a plot
# is readable in dark mode and in print; a PNG has them as they are. Series: Okabe and Ito 2008,
# which people with any colour vision can tell apart.
INK: Final = "#1b1f24"
GRID: Final = "#d5d9de"
SERIES: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8f98")
VARIABLES: Final[Mapping[str, str]] = {
    INK: "var(--ink)",
    GRID: "var(--grid)",
    **{colour: f"var(--s{n})" for n, colour in enumerate(SERIES)},
}
NOTHING_SAID: Final = {"Date": None, "Creator": None, "Software": None}  # the same bytes each time
STYLE: Final[Mapping[Any, Any]] = {
    "axes.axisbelow": True,
    "axes.edgecolor": GRID,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 9,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "svg.fonttype": "none",
    "svg.hashsalt": "trade-manager",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def svg(draw: Draw, name: str, label: str, *, height: float = 2.4) -> str:
    """Return a plot as inline SVG; `name` keeps its ids apart, `label` is what is read aloud."""
    with styled():
        figure = drawn(draw, height)
        text = StringIO()
        figure.savefig(
            text, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    return inlined(text.getvalue(), name, label)


def png(draw: Draw, *, height: float = 3.6) -> bytes:
    """Return a plot as PNG, for mail and chat."""
    with styled():
        image = BytesIO()
        drawn(draw, height).savefig(image, format="png", dpi=150, metadata=NOTHING_SAID)
    return image.getvalue()


def styled() -> AbstractContextManager[None]:
    """Return the context in which all is drawn, whatever the user's own style."""
    import matplotlib as mpl

    return mpl.rc_context({**mpl.rcParamsDefault, **STYLE, "backend": "agg"})


def drawn(draw: Draw, height: float) -> "Figure":
    """Return a figure 9 inches wide with one pair of axes, drawn."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, height), layout="constrained")
    draw(figure.add_subplot())
    return figure


def inlined(document: str, name: str, label: str) -> str:
    """Return an SVG document as an element of a page: unique ids, the page's colours and font."""
    body = document[document.index("<svg") :]
    body = re.sub(r"<(metadata|style).*?</\1>", "", body, flags=re.DOTALL)  # a style is the page's
    body = re.sub(r"\s*\n\s*", " ", body)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", body)
    body = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", body)
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, variable)
    opening = re.compile(r'<svg [^>]*viewBox="([^"]+)"[^>]*>')
    return opening.sub(
        rf'<svg role="img" aria-label="{escape(label)}" viewBox="\1" '
        r'xmlns:xlink="http://www.w3.org/1999/xlink">',
        body,
        count=1,
    ).strip()
