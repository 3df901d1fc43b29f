"""Standardised uptake values: worked out by hand, equal to a published conversion, refused where a part is missing."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from builders.dicom.refusals import series_refusal
from builders.dicom.written import PT, changed, item, numbered, voxels, write_series

from flows.imaging.dicom.volumes import read_series
from schemas.study.dicom_parts import SeriesRule

SUV = SeriesRule(suv="body-weight")
ARRAY = numbered(3, 4, 5, dtype=np.uint16)
DOSE, HALF_LIFE = 370e6, 6586.2
"""Bq of fluorine-18, and its half-life in seconds."""


def write_pet(folder, *, substance=None, **elements):
    """Write a PET series in Bq/ml of a patient of 70 kg who was given the dose an hour before."""
    given = {"RadiopharmaceuticalStartTime": "120000", "RadionuclideTotalDose": DOSE, "RadionuclideHalfLife": HALF_LIFE}
    given |= substance or {}
    written = {
        "Units": "BQML",
        "CorrectedImage": ["DECY", "ATTN", "SCAT"],
        "DecayCorrection": "START",
        "PatientWeight": 70.0,
        "SeriesDate": "20200102",
        "SeriesTime": "130000",
        "AcquisitionDate": "20200102",
        "AcquisitionTime": "130010",
        "RadiopharmaceuticalInformationSequence": item(**{k: v for k, v in given.items() if v is not None}),
    }
    written |= elements
    write_series(folder, ARRAY, sop_class=PT, **{k: v for k, v in written.items() if v is not None})
    return folder


def factor(folder):
    """Return by what the voxels were multiplied."""
    found = voxels(read_series(folder, SUV)) / np.maximum(ARRAY, 1)
    return found[ARRAY > 0].mean()


def test_an_hour_of_decay_is_worked_out_by_hand(tmp_path):
    """70 kg in g over 370 MBq, of which an hour later 68.46 % are left."""
    left = 0.5 ** (3600 / HALF_LIFE)
    assert left == pytest.approx(0.6846, abs=1e-4)
    assert factor(write_pet(tmp_path)) == pytest.approx(70_000 / (DOSE * left), rel=1e-12)
    as_stored = read_series(tmp_path, SeriesRule())
    assert np.array_equal(voxels(as_stored), ARRAY)


def test_voxels_corrected_to_the_injection_need_no_decay(tmp_path):
    """DecayCorrection ADMIN: the dose is the whole one, whatever the half-life is."""
    folder = write_pet(tmp_path, DecayCorrection="ADMIN", substance={"RadionuclideHalfLife": None})
    assert factor(folder) == pytest.approx(70_000 / DOSE, rel=1e-12)


def test_an_injection_before_midnight_is_of_the_day_before(tmp_path):
    """A time of injection without a date is the last one before the scan; with a date it is that day's."""
    folder = write_pet(
        tmp_path / "a",
        substance={"RadiopharmaceuticalStartTime": "233000"},
        SeriesTime="003000",
        AcquisitionTime="003010",
    )
    expected = 70_000 / (DOSE * 0.5 ** (3600 / HALF_LIFE))
    assert factor(folder) == pytest.approx(expected, rel=1e-12)
    dated = write_pet(tmp_path / "b", substance={"RadiopharmaceuticalStartDateTime": "20200102120000.00"})
    assert factor(dated) == pytest.approx(expected, rel=1e-12)


def test_suv_by_body_weight_stay_as_they_are(tmp_path):
    """Voxels in g/ml are SUV already; by another measure they are refused."""
    assert factor(write_pet(tmp_path / "a", Units="GML", SUVType="BW")) == 1.0
    assert "another measure than body weight" in series_refusal(
        write_pet(tmp_path / "b", Units="GML", SUVType="LBM"), suv="body-weight"
    )


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"Units": "CNTS"}, "its voxels are in 'CNTS'"),
        ({"Units": None}, "its voxels are in no unit"),
        ({"Units": "DOEJANE"}, "its voxels are in another unit"),
        ({"PatientWeight": 70_000.0}, "no weight in kg"),
        (
            {"SeriesDate": None, "substance": {"RadiopharmaceuticalStartDateTime": "20200102120000"}},
            "a time is wrong, or lacks its date",
        ),
        ({"substance": {"RadiopharmaceuticalStartDateTime": "20200102093000"}}, "its two times of injection differ"),
        (
            {
                "substance": {"RadiopharmaceuticalStartDateTime": "20200102120000+0000"},
                "TimezoneOffsetFromUTC": "+0100",
            },
            "not said to be of one time zone",
        ),
        ({"CorrectedImage": ["ATTN"]}, "corrected for attenuation and decay"),
        ({"DecayCorrection": "NONE"}, "to which time it is corrected for decay"),
        ({"PatientWeight": None}, "need PatientWeight"),
        ({"PatientWeight": 0.0}, "need PatientWeight"),
        ({"SeriesTime": None}, "need SeriesTime"),
        ({"SeriesTime": "131500"}, "later than its first image"),
        ({"substance": {"RadionuclideTotalDose": None}}, "need RadionuclideTotalDose"),
        ({"substance": {"RadionuclideHalfLife": None}}, "need RadionuclideHalfLife"),
        ({"substance": {"RadiopharmaceuticalStartTime": None}}, "need the time of injection"),
        (
            {"substance": {"RadiopharmaceuticalStartDateTime": "20200103120000"}},
            "before the injection, or more than six hours after it",
        ),
    ],
)
def test_what_is_missing_is_refused_by_name(tmp_path, elements, words):
    """No factor is made up: each element that is needed is named."""
    assert words in series_refusal(write_pet(tmp_path, **elements), suv="body-weight")


def test_one_time_zone_is_none_to_speak_of(tmp_path):
    """An offset that is the scan's own changes nothing."""
    substance = {"RadiopharmaceuticalStartDateTime": "20200102120000+0100"}
    folder = write_pet(tmp_path, substance=substance, TimezoneOffsetFromUTC="+0100")
    assert factor(folder) == pytest.approx(70_000 / (DOSE * 0.5 ** (3600 / HALF_LIFE)), rel=1e-12)


def test_slices_that_differ_in_what_is_needed_are_refused(tmp_path):
    """A weight or a unit of one slice alone is a contradiction."""
    for name, element in (("weight", {"PatientWeight": 7.0}), ("unit", {"Units": "GML"})):
        changed(next(write_pet(tmp_path / name).iterdir()), **element)
        assert "differ in unit, weight, dose or times" in series_refusal(tmp_path / name, suv="body-weight")


def test_real_pet_equals_the_published_conversion(shared_data):
    """A patient of the soft-tissue sarcoma cohort: the voxels are those of the NIfTI that the IBSI published."""
    image = read_series(shared_data("sts_dicom_rtstruct") / "STS_002" / "PET" / "dicom" / "image", SUV)
    published = sitk.ReadImage(shared_data("sts_cohort") / "nifti" / "STS_002" / "PET_image.nii.gz")
    np.testing.assert_allclose(voxels(image), sitk.GetArrayFromImage(published), rtol=1e-6, atol=1e-6)
