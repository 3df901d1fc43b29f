"""The liver phantom: geometry, readings, grey levels, and independence of order."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl
import pytest
import SimpleITK
from scipy import ndimage

from flows.demo.cohort import published_cohort
from flows.demo.lesions import lesion_traits, patient_seed
from flows.demo.phantom.lesion import Lesion, lesion_of
from flows.demo.phantom.liver import PHASES, SPACING_MM, LesionTraits, lesion_mask, phantom_phases
from flows.demo.phantom.texture import direction_field, texture_field
from schemas.errors import UsageError

PLAIN = LesionTraits(diameter_mm=44.0)


def array_of(image: SimpleITK.Image) -> np.ndarray:
    """Return the voxels, axes z, y, x."""
    return SimpleITK.GetArrayFromImage(image)


def equivalent_diameter_mm(mask: SimpleITK.Image) -> float:
    """Return the diameter of the sphere that has the volume of the mask."""
    return float(np.cbrt(6.0 * array_of(mask).sum() * np.prod(mask.GetSpacing()) / np.pi))


def dice(one: SimpleITK.Image, other: SimpleITK.Image) -> float:
    """Return twice the overlap over the sum of both volumes."""
    a, b = array_of(one) > 0, array_of(other) > 0
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def grey_levels(image: SimpleITK.Image, mask: SimpleITK.Image) -> float:
    """Return the range inside the mask in bins of 5, the image scaled to mean 0 and deviation 100."""
    voxels = array_of(image).astype(float)
    inside = 100.0 * (voxels - voxels.mean()) / voxels.std()
    inside = inside[array_of(mask) > 0]
    return float((inside.max() - inside.min()) / 5.0)


@pytest.fixture(scope="module")
def handful() -> list[dict[str, object]]:
    """Return patients from the smallest tumour to the largest."""
    by_size = published_cohort().sort("diameter_mm", "patient")
    return by_size[pl.Series([0, 20, 60, 90, 120, 150, 164])].to_dicts()


def test_images_are_three_phases_on_one_grid() -> None:
    """The phases are signed 16-bit images of one grid, 1.2 x 1.2 x 3.0 mm, in DICOM orientation."""
    images = phantom_phases(PLAIN, 3.0, seed=1)
    assert tuple(images) == PHASES == ("AP", "PVP", "DP")
    for image in images.values():
        assert image.GetPixelID() == SimpleITK.sitkInt16
        assert image.GetSpacing() == SPACING_MM == (1.2, 1.2, 3.0)
        assert image.GetSize() == (100, 80, 24)
        assert image.GetOrigin() == images["AP"].GetOrigin()
        assert image.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)
        assert array_of(image).min() >= 0


def test_the_mask_is_one_lesion_inside_the_image(handful: list[dict[str, object]]) -> None:
    """A mask is one piece of label 1 on three slices or more, on its image's grid, away from the edge."""
    for row in handful:
        traits, seed = lesion_traits(row), patient_seed(str(row["patient"]))
        image = phantom_phases(traits, float(str(row["field_strength_t"])), seed)["DP"]
        for phase in PHASES:
            mask = lesion_mask(traits, seed, phase)
            voxels = array_of(mask)
            assert mask.GetPixelID() == SimpleITK.sitkUInt8
            assert (mask.GetSize(), mask.GetSpacing()) == (image.GetSize(), image.GetSpacing())
            assert (mask.GetOrigin(), mask.GetDirection()) == (image.GetOrigin(), image.GetDirection())
            assert set(np.unique(voxels)) == {0, 1}
            assert ndimage.label(voxels)[1] == 1
            assert voxels.any(axis=(1, 2)).sum() >= 3
            assert voxels.sum() == voxels[1:-1, 1:-1, 1:-1].sum()


@pytest.mark.parametrize("scale", [0.5, 1.0])
@pytest.mark.parametrize("diameter_mm", [21.0, 40.0, 90.0])
def test_the_lesion_has_the_diameter_that_was_asked_for(diameter_mm: float, scale: float) -> None:
    """The sphere of the mask's volume has the asked diameter, times the scale, within 4 %."""
    for irregularity in (0.03, 0.15):
        traits = LesionTraits(diameter_mm=diameter_mm, irregularity=irregularity)
        mask = lesion_mask(traits, 7, "AP", scale=scale)
        assert equivalent_diameter_mm(mask) == pytest.approx(scale * diameter_mm, rel=0.04)


def test_scale_one_draws_the_same_patient_at_true_size() -> None:
    """At scale 1 the grid has eight times the voxels of the same size, and signals agree with half size."""
    half, full = (phantom_phases(PLAIN, 1.5, 3, scale)["PVP"] for scale in (0.5, 1.0))
    assert full.GetSize() == tuple(2 * count for count in half.GetSize())
    assert full.GetSpacing() == half.GetSpacing()
    assert array_of(full).mean() == pytest.approx(array_of(half).mean(), rel=0.03)


def test_readings_differ_a_little(handful: list[dict[str, object]]) -> None:
    """Two readings have a Dice overlap between .8 and 1, and reader 2 differs more than reader 1."""
    within, between = [], []
    for row in handful:
        traits, seed = lesion_traits(row), patient_seed(str(row["patient"]))
        readings = [lesion_mask(traits, seed, "PVP", *who) for who in ((1, 1), (1, 2), (2, 1))]
        overlaps = [dice(one, other) for one, other in combinations(readings, 2)]
        assert all(0.8 < overlap < 1.0 for overlap in overlaps)
        within.append(overlaps[0])
        between.extend(overlaps[1:])
    assert np.mean(within) > np.mean(between)


def test_grey_levels_are_enough_for_texture_and_not_too_many(handful: list[dict[str, object]]) -> None:
    """At deviation 100 and bins of 5, most lesions have 25 to 130 grey levels, and none fewer than 15."""
    counts = []
    for row in handful:
        traits, seed = lesion_traits(row), patient_seed(str(row["patient"]))
        images = phantom_phases(traits, float(str(row["field_strength_t"])), seed)
        counts += [grey_levels(images[phase], lesion_mask(traits, seed, phase)) for phase in PHASES]
    assert min(counts) >= 15
    assert max(counts) <= 130
    assert np.mean(np.array(counts) >= 25) > 0.8
    assert 30 <= np.median(counts) <= 80


def test_an_image_depends_on_its_own_seed_alone() -> None:
    """Drawing other patients in between changes nothing; another seed gives another image and mask."""
    first = array_of(phantom_phases(PLAIN, 3.0, 11)["DP"])
    other = array_of(phantom_phases(PLAIN, 3.0, 12)["DP"])
    lesion_mask(PLAIN, 12, "AP", reader=2)
    assert (array_of(phantom_phases(PLAIN, 3.0, 11)["DP"]) == first).all()
    assert (other != first).any()
    masks = [array_of(lesion_mask(PLAIN, seed, "AP")) for seed in (11, 11, 12)]
    assert (masks[0] == masks[1]).all()
    assert (masks[0] != masks[2]).any()


def contrast(traits: LesionTraits, phase: str, where: slice, seed: int = 5) -> float:
    """Return the mean signal within a range of depth (mm under the surface), over the liver's."""
    lesion = lesion_of(traits, np.random.default_rng(seed))
    points = np.random.default_rng(0).uniform(-40, 40, (20000, 3)).astype(np.float32)
    depth, _ = lesion.depth_mm(points)
    signal = lesion.painted(phase, np.full(len(points), 200.0, dtype=np.float32), points, 200.0)
    return float(signal[(depth >= where.start) & (depth < where.stop)].mean() / 200.0)


def test_the_lesion_enhances_early_and_washes_out() -> None:
    """Against the liver the lesion is bright in AP, and darker in DP than in PVP than the liver itself."""
    inside = slice(4, 30)
    arterial, portal, delayed = (contrast(PLAIN, phase, inside) for phase in PHASES)
    assert arterial > 1.3
    assert delayed < portal < 1.0


def test_capsule_core_blood_and_halo_show_where_they_belong() -> None:
    """A capsule brightens the rim in DP, necrosis darkens the core, blood brightens, a halo is outside."""
    with_capsule = LesionTraits(diameter_mm=44.0, capsule=True)
    assert contrast(with_capsule, "DP", slice(-1, 1)) > contrast(PLAIN, "DP", slice(-1, 1)) + 0.1
    assert contrast(with_capsule, "AP", slice(-1, 1)) == pytest.approx(contrast(PLAIN, "AP", slice(-1, 1)))
    necrotic = LesionTraits(diameter_mm=44.0, necrosis=True)
    assert contrast(necrotic, "PVP", slice(17, 30)) < 0.7 < contrast(PLAIN, "PVP", slice(17, 30))
    bleeding = LesionTraits(diameter_mm=44.0, haemorrhage=True)
    assert contrast(bleeding, "DP", slice(4, 30)) > contrast(PLAIN, "DP", slice(4, 30))
    halo = LesionTraits(diameter_mm=44.0, peritumoral_enhancement=True)
    assert contrast(halo, "AP", slice(-6, -2)) > 1.05
    assert contrast(halo, "DP", slice(-6, -2)) == pytest.approx(1.0, abs=0.02)


def test_heterogeneity_and_irregularity_are_what_was_asked_for() -> None:
    """Signal inside varies by the asked relative deviation, and the radius by the asked irregularity."""
    spreads, wobbles = [], []
    for seed in range(20):
        traits = LesionTraits(diameter_mm=60.0, heterogeneity=0.2, coarseness_mm=4.0, irregularity=0.1)
        lesion: Lesion = lesion_of(traits, np.random.default_rng(seed))
        rng = np.random.default_rng(seed)
        points = rng.uniform(-12, 12, (3000, 3)).astype(np.float32)
        signal = lesion.painted("AP", np.zeros(len(points), dtype=np.float32), points, 200.0)
        spreads.append(signal.std() / signal.mean())
        directions = points / np.linalg.norm(points, axis=1, keepdims=True)
        wobbles.append(np.log(lesion.radius_mm(directions)).std())
    assert np.mean(spreads) == pytest.approx(0.2, rel=0.1)
    assert np.mean(wobbles) == pytest.approx(0.1, rel=0.25)


def test_random_fields_have_unit_variance_and_the_asked_correlation_length() -> None:
    """A texture's correlation at its correlation length is exp(-1/2), and every field has deviation 1."""
    rng = np.random.default_rng(4)
    points = rng.uniform(-200, 200, (4000, 3)).astype(np.float32)
    here, there = [], []
    for _ in range(10):
        field = texture_field(rng, correlation_mm=5.0)
        here.append(field(points))
        there.append(field(points + np.array([5.0, 0, 0], dtype=np.float32)))
    assert np.std(here) == pytest.approx(1.0, abs=0.05)
    assert np.corrcoef(np.ravel(here), np.ravel(there))[0, 1] == pytest.approx(np.exp(-0.5), abs=0.05)
    directions = points / np.linalg.norm(points, axis=1, keepdims=True)
    values = [direction_field(rng, (3.0, 6.0))(directions) for _ in range(40)]
    assert np.std(values) == pytest.approx(1.0, abs=0.15)


def test_the_weaker_magnet_is_noisier_and_the_stronger_less_even() -> None:
    """Noise over body signal is larger at 1.5 T; the slow change along the muscle is larger at 3.0 T."""
    noise, unevenness = {}, {}
    for tesla in (1.5, 3.0):
        air, slow = [], []
        for seed in range(12):
            image = phantom_phases(LesionTraits(diameter_mm=25.0), tesla, seed)["PVP"]
            voxels = array_of(image).astype(float)
            air.append(voxels[:, :6, :6].mean() / np.median(voxels[voxels > voxels.mean()]))
            muscle = ndimage.gaussian_filter(voxels, (2, 1, 1))[:, 66:69, 38:41].mean(axis=(1, 2))
            slow.append(muscle.std() / muscle.mean())
        noise[tesla], unevenness[tesla] = np.mean(air), np.mean(slow)
    assert noise[1.5] > noise[3.0]
    assert unevenness[3.0] > unevenness[1.5]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: phantom_phases(PLAIN, 7.0, 1), "7.0 T"),
        (lambda: phantom_phases(PLAIN, 3.0, 1, scale=4.0), "scale 4.0"),
        (lambda: lesion_mask(PLAIN, 1, "T2"), "'T2'"),
        (lambda: LesionTraits(diameter_mm=0.0), "positive diameter"),
    ],
)
def test_what_the_phantom_cannot_draw_is_refused(call: object, said: str) -> None:
    """An unknown magnet, phase or scale, or a lesion without size, is a usage error that says so."""
    with pytest.raises(UsageError, match=said):
        call()  # type: ignore[operator]
