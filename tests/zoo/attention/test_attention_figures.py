"""Pictures of class activation maps: the pixels that are drawn, the numbers below, the files."""

from __future__ import annotations

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from zoo.attention.panels import AttentionPanel, attention_figure, overlay, write_attention
from zoo.attention.scores import AttentionScores

SVG = "{http://www.w3.org/2000/svg}"


def panels(phases=("AP", "PVP", "DP")) -> list[AttentionPanel]:
    """Return phases with a bright square, a map that falls from left to right, and the square's mask."""
    image = np.random.default_rng(0).normal(size=(24, 24))
    image[8:16, 8:16] += 3
    mask = np.zeros((24, 24), dtype=bool)
    mask[8:16, 8:16] = True
    attention = np.tile(np.linspace(1, 0, 24), (24, 1))
    scores = AttentionScores(0.41, 0.23, 0.08, 0.12, 0.801, 0.312)
    return [AttentionPanel(phase, image, mask, attention, scores) for phase in phases]


def test_the_overlay_is_the_grey_image_under_jet():
    """A pixel is 55 % of its grey and 45 % of jet at the map's value; percentiles 1 and 99 are black and white."""
    each = panels()[0]
    found = overlay(each.image, each.attention)
    assert (found.dtype, found.shape) == (np.uint8, (24, 24, 3))
    low, high = np.percentile(each.image, (1, 99))
    grey = np.clip((each.image[5, 7] - low) / (high - low), 0, 1)
    expected = 255 * (0.55 * grey + 0.45 * np.array(colormaps["jet"](each.attention[5, 7])[:3]))
    np.testing.assert_allclose(found[5, 7], expected, atol=0.51)
    # A constant image is black below the map.
    flat = overlay(np.full((2, 2), 7.0), np.ones((2, 2)))
    np.testing.assert_allclose(flat[0, 0], 255 * 0.45 * np.array(colormaps["jet"](1.0)[:3]), atol=0.51)


def test_an_svg_holds_every_phase_its_pixels_and_its_numbers():
    """Two pictures a phase, pixel for pixel those of the image and the overlay, with the outline and three lines."""
    drawn = attention_figure(panels(), key="p1-attention", title="p1", label="Attention of p1")
    root = ElementTree.fromstring(drawn)  # noqa: S314
    texts = ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]
    assert [text for text in texts if text in ("AP", "PVP", "DP")] == ["AP", "PVP", "DP"]
    assert texts.count("inside 41 % on 8 % of the area") == 3
    assert texts.count("margin 23 % on 12 % of the area") == 3
    assert texts.count("insertion 0.801, deletion 0.312") == 3
    pictures = [each.get("href") for each in root.iter(f"{SVG}image")]
    assert len(pictures) == 6
    content = base64.b64decode(pictures[1].partition("base64,")[2])
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    each = panels()[0]
    # The renderer may turn a picture over and place it upside down.
    assert any(np.array_equal(way, overlay(each.image, each.attention)) for way in (pixels, pixels[::-1]))
    assert drawn.count("#ffffff") == 6
    assert all(identity.startswith("p1-attention-") for identity in re.findall(r'\bid="([^"]*)"', drawn))
    assert drawn == attention_figure(panels(), key="p1-attention", title="p1", label="Attention of p1")


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_files_are_the_same_for_the_same_panels(tmp_path, suffix):
    """A picture is written in the format of its name, and again to the same bytes."""
    first, again = (write_attention(panels(), tmp_path / f"{name}{suffix}", "p1") for name in "ab")
    assert first.read_bytes() == again.read_bytes()
    if suffix == ".png":
        with Image.open(first) as image:
            assert image.size == (2 * 628, 2 * 522)
    else:
        assert "<svg" in first.read_text()


def test_a_map_without_energy_and_a_mask_without_pixels_can_be_drawn():
    """Where the map is zero no share is given, and without a tumour there is no outline."""
    (each,) = panels(["AP"])
    empty = AttentionPanel(
        "AP",
        each.image,
        np.zeros_like(each.mask),
        np.zeros_like(each.attention),
        AttentionScores(float("nan"), float("nan"), 0.0, 0.0, 0.5, 0.5),
    )
    drawn = attention_figure([empty], key="k", title="t", label="l")
    assert "inside none on 0 % of the area" in drawn
    assert "#ffffff" not in drawn
