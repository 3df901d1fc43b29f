"""Figures: what is drawn where, as text that a page can hold."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from zoo.evaluation.decision_curve import decision_curve
from zoo.evaluation.recalibration import recalibration_curve
from zoo.figures.curves import AucInterval, RocOf, auc_forest, roc_plot
from zoo.figures.panels import BenefitOf, CalibrationOf, calibration_panels, net_benefit_panels
from zoo.figures.parts import series_styles

SVG = "{http://www.w3.org/2000/svg}"
LABELS = [0, 0, 0, 1, 0, 1, 1, 0, 1, 1]
# Each in the middle of a spike's step of .02.
PROBABILITIES = [0.11, 0.21, 0.31, 0.37, 0.41, 0.51, 0.61, 0.71, 0.81, 0.91]
STYLES = series_styles(["first", "second"])


def _roc(key: str = "roc", **options) -> str:
    curve = RocOf("first", [0, 0, 0.2, 0.4, 1], [0, 0.4, 0.8, 1, 1], "0.880", (0.2, 0.8))
    flat = RocOf("second", [0, 1], [0, 1], "0.500")
    return roc_plot([curve, flat], STYLES, key=key, title="Validation", label="ROC", **options)


def _forest() -> str:
    rows = [
        AucInterval("first", "training", 132, 0.662, 0.569, 0.743),
        AucInterval("first", "validation", 33, 0.75, 0.5, 1.0),
    ]
    return auc_forest(rows, STYLES, key="forest", title="AUC", label="forest")


def _calibration(probabilities=PROBABILITIES, labels=LABELS) -> str:
    each = CalibrationOf("first", labels, probabilities, recalibration_curve(labels, probabilities, resamples=20))
    return calibration_panels([each], key="calibration", title="Validation", label="calibration")


THRESHOLDS = np.linspace(0.05, 0.95, 19)


def _benefit() -> str:
    each = BenefitOf("first", decision_curve(LABELS, PROBABILITIES, THRESHOLDS, resamples=20))
    return net_benefit_panels([each], key="benefit", title="Validation", label="benefit")


def _texts(svg: str) -> list[str]:
    return ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314


def _panel(points: np.ndarray, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """Return points of the first panel, 200 x 200 with the lower left corner (56, 248), in data units."""
    return np.column_stack([(points[:, 0] - 56) / 200, low + (high - low) * (248 - points[:, 1]) / 200])


def _lines(svg: str, colour: str) -> list[np.ndarray]:
    """Return the points of each stroked path of a colour."""
    found = []
    for path in ElementTree.fromstring(svg).iter(f"{SVG}path"):  # noqa: S314
        if f"stroke: var(--{colour}," in path.get("style", "") and "fill: none" in path.get("style", ""):
            numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", path.get("d", ""))]
            found.append(np.array(numbers).reshape(-1, 2))
    return found


def _square(points: np.ndarray) -> np.ndarray:
    """Return points of the 340 x 320 axes, whose lower left corner is (48, 354), in data units."""
    return np.column_stack([(points[:, 0] - 48) / 340, (354 - points[:, 1]) / 320])


def test_a_roc_curve_runs_through_its_points():
    """The drawn line of the first model has the given false positive rates and sensitivities."""
    curve, *_ = _lines(_roc(), "series-1")
    np.testing.assert_allclose(_square(curve), [[0, 0], [0, 0.4], [0.2, 0.8], [0.4, 1], [1, 1]], atol=1e-5)


def test_the_forest_draws_intervals_to_scale_and_prints_them():
    """Interval ends lie on the scale of the axis, and AUC and bounds stand beside it with three decimals."""
    svg = _forest()
    drawn = [line[:, 0] for line in _lines(svg, "series-1") if len(line) == 2]
    # The axis of 200 units from x = 122 begins at the tenth below the lowest bound, .4, and ends at 1.
    expected = [[122 + 200 * (bound - 0.4) / 0.6 for bound in pair] for pair in ((0.569, 0.743), (0.5, 1.0))]
    np.testing.assert_allclose(drawn, expected, atol=1e-4)
    assert "0.662 (0.569\u20130.743)" in _texts(svg)
    assert "training, n = 132" in _texts(svg)


def test_the_calibration_curve_is_drawn_with_its_band_and_spikes():
    """The line follows the recalibration curve, and every patient adds to a spike: label 1 up, label 0 down."""
    svg = _calibration()
    curve = recalibration_curve(LABELS, PROBABILITIES, resamples=20)
    line, *others = _lines(svg, "series-1")
    spikes = [path for path in others if len(path) == 2]
    drawn = _panel(line)
    assert curve is not None
    np.testing.assert_allclose(np.interp(drawn[:, 0], curve.predicted, curve.observed), drawn[:, 1], atol=5e-3)
    assert len(spikes) == len(LABELS)
    upward = {round((spike[0, 0] - 56) / 200, 2) for spike in spikes if spike[1, 1] < spike[0, 1]}
    assert upward == {round(p, 2) for p, label in zip(PROBABILITIES, LABELS, strict=True) if label}


def test_a_model_without_a_calibration_curve_keeps_its_panel():
    """Where the predictions separate the classes the panel stands under the model's name and says so."""
    texts = _texts(_calibration([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]))
    assert {"first", "no curve"} <= set(texts)


def test_net_benefit_is_drawn_beside_treating_all():
    """The model's line runs through its net benefit, the dashed one through that of treating everyone.

    The axis holds the thresholds that were asked for, here .05 to .95.
    """
    curve = decision_curve(LABELS, PROBABILITIES, THRESHOLDS, resamples=20)
    highest = 1.05 * curve.upper.max()
    svg = _benefit()
    (model,) = _lines(svg, "series-1")
    all_of_them = max(_lines(svg, "muted"), key=len)
    for line, values in ((model, curve.net_benefit), (all_of_them, curve.treat_all)):
        drawn = _panel(line, -0.1, highest) * (0.9, 1) + (0.05, 0)
        inside = drawn[:, 1] > -0.0999  # the axis cuts off what lies below
        np.testing.assert_allclose(np.interp(drawn[inside, 0], THRESHOLDS, values), drawn[inside, 1], atol=2e-3)
    assert {"first", "Net benefit", "0.05", "0.5", "0.95"} <= set(_texts(svg))


def test_panels_stand_in_rows_of_four():
    """Five models take two rows; every one has its name."""
    curve = recalibration_curve(LABELS, PROBABILITIES, resamples=20)
    heights = []
    for count in (4, 5):
        models = [CalibrationOf(f"m{number}", LABELS, PROBABILITIES, curve) for number in range(count)]
        svg = calibration_panels(models, key="rows", title="t", label="l")
        assert {each.model for each in models} <= set(_texts(svg))
        heights.append(float(ElementTree.fromstring(svg).get("viewBox", "").split()[3]))  # noqa: S314
    assert heights[1] - heights[0] == pytest.approx(290)


@pytest.mark.parametrize("draw", [_roc, _forest, _calibration, _benefit])
def test_a_figure_is_the_same_text_each_time(draw):
    """Equal data give equal bytes, with no date in them."""
    assert draw() == draw()


@pytest.mark.parametrize("draw", [_roc, _forest, _calibration, _benefit])
def test_a_figure_needs_nothing_from_outside(draw):
    """It is one SVG element with a label and real text, and neither loads nor styles anything else."""
    svg = draw()
    root = ElementTree.fromstring(svg)  # noqa: S314
    assert (root.tag, root.get("role")) == (f"{SVG}svg", "img")
    assert root.get("aria-label")
    assert root.get("width") is None
    assert _texts(svg)
    assert "<style" not in svg
    assert "font-family" not in svg
    assert set(re.findall(r"https?://[^\"' ]+", svg)) == {"http://www.w3.org/2000/svg"}
    targets = set(re.findall(r'href="#([^"]+)"', svg)) | set(re.findall(r"url\(#([^)]+)\)", svg))
    assert targets <= set(re.findall(r'\bid="([^"]+)"', svg))


def test_ids_of_two_figures_never_collide():
    """Figures with different keys share no id, so that both can stand in one page."""
    first, second = (set(re.findall(r'\bid="([^"]+)"', _roc(key))) for key in ("one", "two"))
    assert first
    assert not first & second


def test_colours_can_be_changed_by_the_page():
    """Every colour is a CSS variable with the printed colour behind it."""
    svg = re.sub(r"var\(--[a-z0-9-]+, #[0-9a-f]{6}\)", "", _roc() + _forest() + _calibration() + _benefit())
    assert set(re.findall(r"#[0-9a-f]{6}\b", svg)) == set()


def test_a_zoo_of_17_models_has_17_styles():
    """No two models of the whole zoo share colour and line style."""
    styles = series_styles([f"m{number}" for number in range(17)])
    assert len({(style.colour, str(style.dashes)) for style in styles.values()}) == 17


def test_names_are_drawn_as_they_are_written():
    """Dollar signs and angle brackets in a title are text, not formulas and not markup."""
    svg = roc_plot([], {}, key="names", title="a$b$ <c>", label='"quoted" & more')
    assert "a$b$ <c>" in _texts(svg)
    assert ElementTree.fromstring(svg).get("aria-label") == '"quoted" & more'  # noqa: S314


def test_a_long_legend_stands_below_the_curves():
    """With more models than fit inside the axes the figure grows by their legend."""
    names = [f"m{number}" for number in range(9)]
    curves = [RocOf(name, [0, 1], [0, 1], "0.500") for name in names]
    svg = roc_plot(curves, series_styles(names), key="many", title="t", label="l")
    _, _, _, height = (float(each) for each in ElementTree.fromstring(svg).get("viewBox", "").split())  # noqa: S314
    assert height > 398 + 9 * 15
    assert all(f"{name}  0.500" in _texts(svg) for name in names)
