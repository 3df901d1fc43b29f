"""The flow chart: what stands in its boxes, and that words stay inside them."""

import re
from html import unescape

import pytest

from zoo.figures.flow_chart import FlowBox, FlowChart, flow_chart

REASONS = ("missing data (n = 5)", "lesion < 10 mm (n = 3)", "lost to follow-up (n = 113)")
PAPER = FlowChart(
    assessed=FlowBox("Assessed", 290),
    excluded=FlowBox("Excluded", 125, REASONS),
    included=FlowBox("Included", 165),
    apart=None,
    groups=[FlowBox("Training", 132, ["78 with recurrence"]), FlowBox("Validation", 33, ["18 with recurrence"])],
)


def words(chart) -> list[str]:
    """Return the lines of all boxes."""
    svg = flow_chart(chart, key="flow", label="Flow")
    return [unescape(each).replace("\u00a0", " ") for each in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


def test_every_box_says_how_many_it_is_about():
    """The lines are those of the boxes from the top to the bottom, text and not outlines."""
    assert words(PAPER) == [
        *("Assessed (n = 290)", "Included (n = 165)"),
        *("Excluded (n = 125)", *REASONS),
        *("Training (n = 132)", "78 with recurrence", "Validation (n = 33)", "18 with recurrence"),
    ]


@pytest.mark.parametrize(
    "reason",
    ["no treatment of the tumour by any means before the MRI " * 2, "x" * 120, "手术前没有接受过任何治疗的患者" * 5],
)
def test_long_reasons_are_parted_into_lines(reason, recwarn):
    """No line is longer than its box, and no letter is lost; a script that matplotlib's font lacks costs no warning."""
    chart = FlowChart(PAPER.assessed, FlowBox("Excluded", 1, [reason]), PAPER.included, None, PAPER.groups)
    lines = words(chart)
    assert "".join(reason.split()) in "".join("".join(lines).split())
    assert max(sum(2 if ord(letter) > 0x2E80 else 1 for letter in line) for line in lines) <= 41
    assert not recwarn.list


def test_the_figure_is_as_high_as_its_boxes():
    """More reasons make a higher figure, and no box reaches beyond it."""
    heights = []
    for number in (1, 30):
        excluded = FlowBox("Excluded", 1, ["reason"] * number)
        chart = FlowChart(PAPER.assessed, excluded, PAPER.included, None, PAPER.groups)
        svg = flow_chart(chart, key="flow", label="Flow")
        heights.append(int(re.search(r'viewBox="0 0 700 (\d+)"', svg)[1]))
        down = [float(y) for y in re.findall(r"[ML] [\d.]+ (-?[\d.]+)", svg)]
        assert min(down) >= 0
        assert max(down) <= heights[-1]
    assert heights[1] - heights[0] == 29 * 18


def test_the_same_flow_gives_the_same_bytes():
    """A report of the same store is the same file."""
    assert flow_chart(PAPER, key="flow", label="Flow") == flow_chart(PAPER, key="flow", label="Flow")
