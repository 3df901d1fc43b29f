"""Registration: a known motion is found again, to the bit; where it does not help, nothing is moved."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.demo.phantom.liver import LesionTraits, liver_mask, phantom_phases, true_transform
from flows.demo.phantom.motion import Motion
from flows.imaging.register import FixedImage, registered, registration_versions, similarities
from schemas.errors import UsageError
from schemas.features.region_settings import RegistrationSettings

LIVER = 5  # in the labels of abdomen_mr_ct, see its SOURCE.txt
ANTS = RegistrationSettings(method="ants")

has_ants = pytest.mark.skipif(importlib.util.find_spec("ants") is None, reason="the package antspyx is not installed")
has_no_ants = pytest.mark.skipif(importlib.util.find_spec("ants") is not None, reason="antspyx is installed")


def target_error_mm(found, truth, mask):
    """Return the mean distance of where two transforms take points of a mask."""
    at = np.argwhere(sitk.GetArrayFromImage(mask) > 0)[::97, ::-1]
    points = [mask.TransformIndexToPhysicalPoint([int(each) for each in index]) for index in at]
    return float(
        np.mean([np.linalg.norm(np.subtract(found.TransformPoint(p), truth.TransformPoint(p))) for p in points])
    )


def numbers(registration):
    """Return everything that a registration found."""
    transform = registration.transform
    return (
        *(transform.GetParameters(), transform.GetFixedParameters()),
        *(registration.similarity_before, registration.similarity_after, registration.is_applied),
    )


@pytest.fixture(scope="module")
def phantoms():
    """Return pairs of phantom phases with the true transform, for a few patients at both field strengths."""
    found = []
    for seed, tesla, diameter in ((21, 1.5, 30.0), (22, 3.0, 55.0)):
        images = phantom_phases(LesionTraits(diameter_mm=diameter), tesla, seed)
        found += [(images["AP"], images[phase], true_transform(seed, phase)) for phase in ("PVP", "DP")]
    return found


@pytest.fixture(scope="module")
def real_pair(shared_data):
    """Return a real liver MR on 1.2 x 1.2 x 3 mm, itself moved and with another contrast, the motion, the liver."""
    folder = shared_data("abdomen_mr_ct")
    image = sitk.ReadImage(str(folder / "example_mr_sm.nii.gz"), sitk.sitkFloat32)
    labels = sitk.ReadImage(str(folder / "example_seg_mr.nii.gz"))
    # The part around the liver: less than the whole image is enough, and quicker.
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(sitk.Cast(labels == LIVER, sitk.sitkUInt8))
    x, y, _, width, height, _ = shape.GetBoundingBox(1)
    grid = sitk.Image(int((width + 16) * 3.0 / 1.2), int((height + 16) * 3.0 / 1.2), image.GetSize()[2], sitk.sitkUInt8)
    grid.SetSpacing((1.2, 1.2, 3.0))
    grid.SetOrigin(image.TransformIndexToPhysicalPoint((max(x - 8, 0), max(y - 8, 0), 0)))
    motion = Motion(
        angles=tuple(np.deg2rad((1.5, -2.0, 2.5)).tolist()),
        shift_mm=(2.5, -3.0, 2.0),
        centre_mm=grid.TransformContinuousIndexToPhysicalPoint([(count - 1) / 2 for count in grid.GetSize()]),
    ).transform()
    fixed = sitk.Resample(image, grid, sitk.Transform(), sitk.sitkBSpline, 0.0)
    moved = sitk.GetArrayFromImage(sitk.Resample(image, grid, motion.GetInverse(), sitk.sitkBSpline, 0.0))
    contrast = 900.0 * (np.clip(moved, 0.0, 900.0) / 900.0) ** 0.6
    moving = sitk.GetImageFromArray(contrast + np.random.default_rng(5).normal(0.0, 10.0, moved.shape))
    moving.CopyInformation(fixed)
    return fixed, moving, motion, sitk.Resample(labels, grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0) == LIVER


def test_a_phantoms_motion_is_found_again_to_the_bit(phantoms):
    """Between phases the mean error in the liver falls below .5 mm, more alike than before, the same bits twice."""
    liver = liver_mask()
    for fixed, moving, truth in phantoms:
        one, again = (registered(FixedImage(fixed), moving, RegistrationSettings()) for _ in range(2))
        assert target_error_mm(sitk.Euler3DTransform(), truth, liver) > 0.5
        assert target_error_mm(one.transform, truth, liver) < 0.5
        assert one.is_applied
        assert one.similarity_after > one.similarity_before
        assert numbers(one) == numbers(again)


def test_a_real_livers_motion_is_found_again_to_the_bit(real_pair):
    """On a real liver MR, moved by 4 mm and 3 degrees, the mean error in the liver is below .5 mm, twice the same."""
    fixed, moving, truth, liver = real_pair
    one, again = (registered(FixedImage(fixed), moving, RegistrationSettings()) for _ in range(2))
    assert target_error_mm(sitk.Euler3DTransform(), truth, liver) > 3.0
    assert target_error_mm(one.transform, truth, liver) < 0.5
    assert numbers(one) == numbers(again)


@has_ants
def test_ants_finds_the_motions_too(phantoms, real_pair):
    """ANTs' QuickRigid has a mean error below 1.5 mm in phantom and real liver, and gives the same bits twice."""
    for fixed, moving, truth, liver in ((*phantoms[0], liver_mask()), real_pair):
        one, again = (registered(FixedImage(fixed), moving, ANTS) for _ in range(2))
        assert one.is_applied
        assert target_error_mm(one.transform, truth, liver) < 1.5
        assert numbers(one) == numbers(again)


@has_no_ants
def test_ants_that_is_not_there_is_named_with_its_extra(phantoms):
    """Without antspyx, both the definition and the registration are refused with the extra that brings it."""
    fixed, moving, _ = phantoms[0]
    for asked in (lambda: registration_versions(ANTS), lambda: registered(FixedImage(fixed), moving, ANTS)):
        with pytest.raises(UsageError) as caught:
            asked()
        assert "radzoo[ants]" in str(caught.value.hint)


def test_an_image_lies_on_itself():
    """Registered with itself an image is not moved by more than a hundredth of a millimetre."""
    fixed = phantom_phases(LesionTraits(diameter_mm=40.0), 3.0, 3)["PVP"]
    found = registered(FixedImage(fixed), fixed, RegistrationSettings())
    assert target_error_mm(found.transform, sitk.Euler3DTransform(), liver_mask()) < 0.01


@pytest.mark.parametrize("first_move_mm", [30.0, 2000.0])
def test_a_transform_that_makes_it_worse_is_not_applied(first_move_mm):
    """One move that is far too long, or leads out of the image, is told and the identity is applied."""
    fixed = phantom_phases(LesionTraits(diameter_mm=40.0), 3.0, 3)["PVP"]
    asked = RegistrationSettings(largest_step_mm=first_move_mm, smallest_step_mm=first_move_mm / 2, iterations=1)
    found = registered(FixedImage(fixed), sitk.AdditiveGaussianNoise(fixed, 20.0, 0.0, 7), asked)
    assert not found.is_applied
    assert found.shift_mm == found.rotation_degrees == (0.0, 0.0, 0.0)
    assert found.similarity_after is None or found.similarity_after < found.similarity_before


def test_without_registration_nothing_moves(phantoms):
    """Method 'none' is the identity, says so, and still tells how alike the images are."""
    fixed, moving, _ = phantoms[0]
    found = registered(FixedImage(fixed), moving, RegistrationSettings(method="none"))
    assert not found.is_applied
    assert found.transform.GetParameters() == (0.0,) * 6
    assert 1.0 < found.similarity_before == found.similarity_after < 2.0


def test_similarity_is_two_for_equal_images_and_one_for_unrelated_ones():
    """Normalised mutual information, Studholme 1999: 2 where each image tells the other, about 1 for noise."""
    random = np.random.default_rng(0)
    image, other = (sitk.GetImageFromArray(random.normal(size=(24, 80, 80)).astype(np.float32)) for _ in range(2))
    still = sitk.Euler3DTransform()
    assert similarities(FixedImage(image), image, [still]) == [pytest.approx(2.0)]
    assert similarities(FixedImage(image), -3.0 * image, [still]) == [pytest.approx(2.0, abs=0.02)]
    assert similarities(FixedImage(image), other, [still]) == [pytest.approx(1.0, abs=0.02)]
    away = sitk.Euler3DTransform()
    away.SetTranslation((1000.0, 0.0, 0.0))
    assert similarities(FixedImage(image), image, [still, away]) == [pytest.approx(2.0), 1.0]
    assert similarities(FixedImage(image), image, [away]) == [1.0]


ANGLES = st.tuples(*[st.floats(-0.3, 0.3)] * 3)
MILLIMETRES = st.tuples(*[st.floats(-50.0, 50.0)] * 3)


@settings(max_examples=50, deadline=None)
@given(angles=ANGLES, shift=MILLIMETRES, centre=MILLIMETRES, point=MILLIMETRES, scale=st.floats(0.25, 1.0))
def test_a_motion_is_undone_by_its_inverse_and_is_the_transform_it_gives(angles, shift, centre, point, scale):
    """rest(moved(p)) is p, and the transform takes a point of the drawn image to where the motion takes it."""
    motion = Motion(angles, shift, centre)
    p = np.array([point])
    np.testing.assert_allclose(motion.rest(motion.moved(p)), p, atol=1e-9)
    drawn = motion.transform(scale).TransformPoint((scale * p[0]).tolist())
    np.testing.assert_allclose(drawn, scale * motion.moved(p)[0], atol=1e-9)


def test_the_first_phase_lies_at_rest_and_others_move_by_their_own_motion():
    """The true transform is the identity in AP, another one in each other phase, and the same for the same seed."""
    assert true_transform(4, "AP").GetParameters() == (0.0,) * 6
    portal, delayed = (true_transform(4, phase).GetParameters() for phase in ("PVP", "DP"))
    assert portal != delayed
    assert true_transform(4, "DP").GetParameters() == delayed
    half, full = (np.array(true_transform(4, "DP", scale).GetParameters()) for scale in (0.5, 1.0))
    np.testing.assert_allclose(full, half * [1, 1, 1, 2, 2, 2])
