"""The flow of patients into a study, as STARD draws it: assessed, excluded with reasons, included, grouped."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle

from zoo.figures.parts import COLOURS, INK, MUTED, PAPER, sized_figure
from zoo.figures.svg import drawing_settings, inline_svg

__all__ = ["FlowBox", "FlowChart", "counted_words", "flow_chart"]

_NO_BREAK = "\u00a0"
_WIDTH = 700.0
_MARGIN, _GAP, _PAD = 4.0, 26.0, 11.0
_MAIN = (_WIDTH - 2 * _MARGIN - _GAP) / 2  # width of the boxes in the main column, as of the first of two groups
_SIDE_LEFT = _MARGIN + _MAIN + 36.0
_SIZE, _LINE = 13.0, 18.0
_LETTER = 7.3  # what a letter of the page's font takes on average, rather too much than too little


@dataclass(frozen=True)
class FlowBox:
    """A box: who it is about, how many they are, and what else is to be said, a line each."""

    heading: str
    patients: int
    lines: Sequence[str] = ()


@dataclass(frozen=True)
class FlowChart:
    """A flow from the top to the bottom."""

    assessed: FlowBox
    excluded: FlowBox | None
    """Beside the way from the first box to the second; None where nobody is asked for anything."""
    included: FlowBox
    apart: FlowBox | None
    """Beside the way from the second box to the groups; None where every patient is in a group."""
    groups: Sequence[FlowBox]
    """Side by side; where there are none the flow ends with who is included."""


@dataclass(frozen=True)
class _Placed:
    """A box with its place, in the figure's units from the upper left corner."""

    lines: Sequence[str]
    left: float
    top: float
    width: float

    @property
    def bottom(self) -> float:
        return self.top + 2 * _PAD + _LINE * len(self.lines) - (_LINE - _SIZE)

    @property
    def centre(self) -> float:
        return self.left + self.width / 2

    def moved(self, top: float) -> _Placed:
        return _Placed(self.lines, self.left, top, self.width)


def flow_chart(chart: FlowChart, *, key: str, label: str) -> str:
    """Return the flow of patients as SVG.

    The boxes are those of the STARD 2015 diagram (doi:10.1136/bmj.h5527), which TRIPOD+AI asks for too
    (doi:10.1136/bmj-2023-078378): everyone who was assessed, who was excluded and why, who is left.

    Parameters
    ----------
    chart : FlowChart
        What the boxes say.
    key : str
        Unique name on the page.
    label : str
        Text for a screen reader.
    """
    boxes, paths = _layout(chart)
    height = max(each.bottom for each in boxes) + _MARGIN
    with drawing_settings(key):
        figure = sized_figure(_WIDTH, height)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set(xlim=(0, _WIDTH), ylim=(height, 0))
        axes.set_axis_off()
        for path in paths:
            _draw_path(axes, path)
        for box in boxes:
            _draw_box(axes, box)
        return inline_svg(figure, key, label, COLOURS)


def counted_words(words: str, patients: int) -> str:
    """Return words with a number of patients behind them that no line break parts: ``excluded (n = 5)``."""
    return f"{words} (n{_NO_BREAK}={_NO_BREAK}{patients})"


_Path = Sequence[tuple[float, float]]


def _layout(chart: FlowChart) -> tuple[list[_Placed], list[_Path]]:
    """Return all boxes, and the ways between them as corners, each way ending in an arrow."""
    first = _placed(chart.assessed, _MARGIN, _MARGIN, _MAIN)
    boxes, paths = [first], []
    second = first
    if chart.excluded is not None:
        second, beside = _next_of(first, chart.included, chart.excluded)
        boxes += [second, beside]
        paths += [_down(first, second), _aside(first, beside)]
    if not chart.groups:
        return boxes, paths
    width = (_WIDTH - 2 * _MARGIN - _GAP * (len(chart.groups) - 1)) / len(chart.groups)
    top = second.bottom + 2 * _GAP
    if chart.apart is not None:
        beside = _placed(chart.apart, _SIDE_LEFT, second.bottom + _GAP, _WIDTH - _MARGIN - _SIDE_LEFT)
        boxes.append(beside)
        paths.append(_aside(second, beside))
        top = beside.bottom + 2 * _GAP
    for number, each in enumerate(chart.groups):
        group = _placed(each, _MARGIN + number * (width + _GAP), top, width)
        boxes.append(group)
        fork = top - _GAP
        corners = [(second.centre, second.bottom), (second.centre, fork), (group.centre, fork), (group.centre, top)]
        paths.append(list(dict.fromkeys(corners)))
    return boxes, paths


def _next_of(above: _Placed, box: FlowBox, beside: FlowBox) -> tuple[_Placed, _Placed]:
    side = _placed(beside, _SIDE_LEFT, above.bottom + _GAP, _WIDTH - _MARGIN - _SIDE_LEFT)
    return _placed(box, _MARGIN, side.bottom + _GAP, _MAIN), side


def _down(above: _Placed, below: _Placed) -> _Path:
    return [(above.centre, above.bottom), (above.centre, below.top)]


def _aside(above: _Placed, beside: _Placed) -> _Path:
    middle = (beside.top + beside.bottom) / 2
    return [(above.centre, middle), (beside.left, middle)]


def _placed(box: FlowBox, left: float, top: float, width: float) -> _Placed:
    letters = int((width - 2 * _PAD) / _LETTER)
    lines = (counted_words(box.heading, box.patients), *box.lines)
    return _Placed([part for line in lines for part in _wrapped(line, letters)], left, top, width)


def _wrapped(line: str, letters: int) -> Iterator[str]:
    """Yield a line in parts of so many letters at most; letters of East Asian scripts are twice as wide."""
    part = ""
    for word in line.split(" "):
        for piece in _pieces(word, letters):
            longer = f"{part} {piece}" if part else piece
            if _width(longer) <= letters:
                part = longer
                continue
            if part:
                yield part
            part = f"  {piece}" if _width(piece) <= letters - 2 else piece
    yield part


def _pieces(word: str, letters: int) -> Iterator[str]:
    piece = ""
    for letter in word:
        if piece and _width(piece + letter) > letters:
            yield piece
            piece = ""
        piece += letter
    yield piece


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def _draw_box(axes: Axes, box: _Placed) -> None:
    place = (box.left, box.top)
    shape = Rectangle(place, box.width, box.bottom - box.top, facecolor=PAPER, edgecolor=INK, linewidth=1.1)
    axes.add_patch(shape)
    for number, line in enumerate(box.lines):
        indent = len(line) - len(line.lstrip())
        axes.text(
            box.left + _PAD + 5 * indent,
            box.top + _PAD + _SIZE * 0.8 + _LINE * number,
            line.strip(),
            fontsize=_SIZE,
            fontweight="bold" if number == 0 else "normal",
            color=INK,
            va="baseline",
        )


def _draw_path(axes: Axes, corners: _Path) -> None:
    for start, end in pairwise(corners[:-1]):
        axes.plot((start[0], end[0]), (start[1], end[1]), color=MUTED, linewidth=1.1, solid_capstyle="butt")
    arrow = FancyArrowPatch(
        corners[-2], corners[-1], arrowstyle="-|>", mutation_scale=11, color=MUTED, linewidth=1.1, shrinkA=0, shrinkB=0
    )
    axes.add_patch(arrow)
