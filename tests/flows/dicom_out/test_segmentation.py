"""A segmentation of a mask, read by radzoo, by highdicom and by dcmqi: voxel for voxel, also of real series."""

import shutil
import subprocess

import highdicom
import numpy as np
import pytest
import SimpleITK as sitk
from archives.unpacking import unpack
from builders.dicom.written import TURNED, Place, numbered, write_multiframe, write_series
from pydicom import dcmread

from flows.dicom_out.references import references_of
from flows.dicom_out.segmentation import segmentation_of
from flows.imaging.dicom.masks import read_dicom_mask
from flows.imaging.dicom.volumes import read_series_with_frames
from flows.imaging.grids import grid_of
from flows.imaging.patient_axes import frame_of_reference
from schemas.errors import ContractError
from schemas.keys import MaskKey
from schemas.study.dicom_parts import SeriesRule

KEY = MaskKey("P1", "baseline", "AP", "1", "R1", 1)
MADE = "2026-01-02T03:04:05.678+00:00"


def written(source, file, rule=None, lesion=None, seed=1):
    """Write a mask of a series as a segmentation and return the image, its frames and the mask."""
    image, frames = read_series_with_frames(source, rule or SeriesRule())
    if lesion is None:
        lesion = np.zeros(image.GetSize()[::-1], bool)
        first = len(lesion) // 4
        lesion[first : first + max(len(lesion) // 2, 1)] = (
            np.random.default_rng(seed).random(lesion[first : first + max(len(lesion) // 2, 1)].shape) < 0.3
        )
    references = references_of(frames, image.GetSpacing()[2], "P1", MADE)
    segmentation_of(lesion, references, KEY).save_as(file, enforce_file_format=True)
    return image, frames, lesion


def read_back(file, image):
    """Return the voxels of the segment as a study would read them."""
    mask = read_dicom_mask(file, grid_of(image), 1, None, frame_of_reference=frame_of_reference(image))
    return sitk.GetArrayFromImage(mask) > 0


def read_by_highdicom(file, frames):
    """Return the voxels of the segment as highdicom gives them, slice by slice of the source."""
    segmentation = highdicom.seg.segread(file)
    if len({frame.file for frame in frames}) < len(frames):
        found = segmentation.get_pixels_by_source_frame(
            frames[0].instance,
            [frame.index + 1 for frame in frames],
            assert_missing_frames_are_empty=True,
            ignore_spatial_locations=True,
        )
    else:
        found = segmentation.get_pixels_by_source_instance(
            [frame.instance for frame in frames], assert_missing_frames_are_empty=True, ignore_spatial_locations=True
        )
    return found[..., 0] > 0


@pytest.mark.parametrize("direction", [np.eye(3), TURNED, np.diag([-1.0, 1.0, -1.0])])
def test_a_segmentation_is_the_mask(tmp_path, direction):
    """On straight, oblique and flipped grids."""
    write_series(tmp_path / "images", numbered(7, 9, 12), Place(direction=direction))
    image, frames, lesion = written(tmp_path / "images", tmp_path / "seg.dcm")
    assert np.array_equal(read_back(tmp_path / "seg.dcm", image), lesion)
    assert np.array_equal(read_by_highdicom(tmp_path / "seg.dcm", frames), lesion)


@pytest.mark.skipif(shutil.which("segimage2itkimage") is None, reason="dcmqi is not installed: pip install dcmqi")
@pytest.mark.parametrize("direction", [np.eye(3), TURNED])
def test_dcmqi_places_the_same_voxels(tmp_path, direction):
    """Its volume has the slices of the segment alone; each of its voxels lies where the mask's does."""
    write_series(tmp_path / "images", numbered(7, 9, 12), Place(direction=direction))
    image, _, lesion = written(tmp_path / "images", tmp_path / "seg.dcm")
    command = ["segimage2itkimage", "--inputDICOM", str(tmp_path / "seg.dcm"), "--outputType", "nrrd"]
    subprocess.run([*command, "--outputDirectory", str(tmp_path)], capture_output=True, check=True)
    found = sitk.Resample(sitk.ReadImage(str(tmp_path / "1.nrrd")), image, sitk.Transform(), sitk.sitkNearestNeighbor)
    assert np.array_equal(sitk.GetArrayFromImage(found) > 0, lesion)


@pytest.mark.parametrize("times", [1, 3])
def test_a_multiframe_image_is_referred_to_by_frame(tmp_path, times):
    """Of a dynamic one, by the frames of the time that the study means."""
    volumes = [numbered(6, 5, 7) + 1000 * time for time in range(times)]
    write_multiframe(tmp_path / "image.dcm", volumes, Place(direction=TURNED))
    rule = SeriesRule(time=2) if times > 1 else None
    image, frames, lesion = written(tmp_path / "image.dcm", tmp_path / "seg.dcm", rule)
    assert np.array_equal(read_back(tmp_path / "seg.dcm", image), lesion)
    assert np.array_equal(read_by_highdicom(tmp_path / "seg.dcm", frames), lesion)
    seg = dcmread(tmp_path / "seg.dcm")
    referred = {
        group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
        for group in seg.PerFrameFunctionalGroupsSequence
    }
    assert referred == {frame.index + 1 for frame, drawn in zip(frames, lesion, strict=True) if drawn.any()}


def test_slices_in_several_multiframe_files_are_refused(tmp_path):
    """No word of ours could say which frame of which file."""
    for part, volume in enumerate((numbered(3, 5, 7), numbered(3, 5, 7) + 500)):
        place = Place(origin=(-10.0, 20.5, 31.25 + 7.5 * part))
        write_multiframe(
            tmp_path / "images" / f"{part}.dcm",
            [volume],
            place,
            change=lambda each: setattr(each, "SeriesInstanceUID", "1.2.3.4"),
        )
    with pytest.raises(ContractError, match="6 slices lie in 2 files of several frames each"):
        written(tmp_path / "images", tmp_path / "seg.dcm")


def test_what_it_says_of_its_making(tmp_path):
    """When the store came to know the mask, by which software, of what kind."""
    write_series(tmp_path / "images", numbered(7, 9, 12))
    written(tmp_path / "images", tmp_path / "seg.dcm")
    seg = dcmread(tmp_path / "seg.dcm")
    assert (seg.ContentDate, seg.ContentTime, seg.TimezoneOffsetFromUTC) == ("20260102", "030405", "+0000")
    (segment,) = seg.SegmentSequence
    assert (segment.SegmentLabel, segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning) == ("Lesion 1", "Lesion")
    assert (seg.Manufacturer, seg.SegmentationType) == ("radzoo", "BINARY")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("qin_prostate_adc_seg/QIN-PROSTATE-001/ADC", "oblique MR"),
        ("dicom_seg_liver_ct/ct-3slice", "CT"),
        ("sts_dicom_rtstruct/STS_002/PET/dicom/image", "PET"),
    ],
)
def test_a_real_series_gets_the_mask_back(shared_data, tmp_path, source, name):
    """By radzoo's reader and by highdicom's."""
    folder = shared_data(source)
    image, frames, lesion = written(folder, tmp_path / "seg.dcm")
    assert np.array_equal(read_back(tmp_path / "seg.dcm", image), lesion), name
    assert np.array_equal(read_by_highdicom(tmp_path / "seg.dcm", frames), lesion), name


def test_one_time_of_a_real_dynamic_series_is_referred_to(shared_data, tmp_path):
    """Sixty slices of one hundred and eighty, the instances of the second time."""
    unpack(shared_data("dce_breast_mr") / "UCSF-BR-06.tar.xz", tmp_path)
    image, frames, lesion = written(tmp_path, tmp_path / "seg.dcm", SeriesRule(modality="MR", time=2))
    assert np.array_equal(read_back(tmp_path / "seg.dcm", image), lesion)
    referred = {
        each.ReferencedSOPInstanceUID
        for each in dcmread(tmp_path / "seg.dcm").ReferencedSeriesSequence[0].ReferencedInstanceSequence
    }
    assert referred == {frame.instance for frame in frames}
    assert len(referred) == 60
