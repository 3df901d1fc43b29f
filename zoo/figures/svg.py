"""Figures as SVG text that can stand inside a page, several of them side by side."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape

import matplotlib as mpl
from matplotlib.figure import Figure

from schemas.foreign_text import printable

__all__ = ["drawing_settings", "inline_svg"]


@contextmanager
def drawing_settings(key: str) -> Iterator[None]:
    """Have figures drawn and saved so that the same data give the same bytes, with text as text.

    Parameters
    ----------
    key : str
        The figure's name; the ids inside the SVG are derived from it.
    """
    # text.parse_math: a dollar sign in a name is a dollar sign.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": key, "text.parse_math": False}):
        yield


def inline_svg(figure: Figure, key: str, label: str, colours: Mapping[str, str]) -> str:
    """Return a figure as one ``<svg>`` element for HTML.

    It has no size of its own and fills the width that the page gives it; text takes the page's font, and
    each colour of the theme becomes a CSS variable, so that a page may change it in the dark. Ids begin with
    the key, since ids of several figures would otherwise collide.

    Parameters
    ----------
    figure : Figure
        Drawn under `drawing_settings` of the same key.
    key : str
        Unique on the page; letters, digits and dashes.
    label : str
        What a screen reader says instead of the figure.
    colours : mapping of str to str
        Colour of the drawing, ``#rrggbb`` in lower case, to the name of its CSS variable.
    """
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # Letters that matplotlib's font lacks are drawn by the page's font: text stays text.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawn = printable(buffer.getvalue())
    body = drawn[drawn.index("<svg") :].strip()
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    # A style element inside an inline SVG would hold for the whole page.
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"font-family: [^;\"]*;? ?", "", body)
    body = re.sub(r'\bid="', f'id="{key}-', body)
    body = body.replace('xlink:href="#', f'href="#{key}-').replace("url(#", f"url(#{key}-")
    body = body.replace('xlink:href="data:', 'href="data:')  # a picture's pixels; the prefix is declared nowhere
    for colour, variable in colours.items():
        body = body.replace(colour, f"var(--{variable}, {colour})")
    width, height = (round(float(inches) * 72) for inches in figure.get_size_inches())
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(printable(label))}" stroke-linejoin="round" stroke-linecap="butt" class="figure">'
    )
    return re.sub(r"<svg[^>]*>", lambda _: opening, body, count=1)
