"""How an image was acquired: typed fields of headers and sidecars, and nothing else of them."""

import json

import pytest
from builders.dicom.written import Place, changed, item, numbered, write_multiframe, write_series
from html_page import Page

from flows.imaging.dicom.volumes import chosen_headers, read_series
from flows.imaging.sources import Source
from flows.report.page import write_report
from flows.scans.acquisition import acquisition_of
from schemas.study.dicom_parts import SeriesRule
from store.verification.verify import store_verification

PLACE = Place((1.0, 1.0, 2.0), (0.0, 0.0, 0.0))
HEADER = {
    "Manufacturer": "SIEMENS Healthineers",
    "ManufacturerModelName": "MAGNETOM Vida",
    "MagneticFieldStrength": "3",
    "RepetitionTime": "4.2",
    "EchoTime": "1.9",
    "InversionTime": "900",
    "FlipAngle": "10",
    "SliceThickness": "2.5",
    "AcquisitionTime": "120040",
    "ContrastBolusStartTime": "120000",
    "PatientName": "Doe^Jane",
    "StationName": "MR-ROOM-7",
    "DeviceSerialNumber": "1234567",
}
FOUND = {
    "manufacturer": "Siemens",
    "scanner_model": "MAGNETOM Vida",
    "field_strength_t": 3.0,
    "repetition_time_ms": 4.2,
    "echo_time_ms": 1.9,
    "inversion_time_ms": 900.0,
    "flip_angle_deg": 10.0,
    "slice_thickness_mm": 2.5,
    "kvp": None,
    "exposure_mas": None,
    "kernel": None,
    "seconds_after_contrast": 40.0,
}


def series(folder, **elements):
    """Write a series of three slices whose headers have some elements, and return what is known of it."""
    files = write_series(folder, numbered(3, 4, 5), PLACE, **(HEADER | elements))
    return files, lambda: acquisition_of(Source(folder, SeriesRule()))


def test_a_header_gives_its_typed_fields(tmp_path):
    """Numbers in the units of the columns, the vendor by its list, the seconds after the contrast agent's start."""
    assert series(tmp_path)[1]() == FOUND


def test_what_differs_among_slices_is_no_value(tmp_path):
    """A field that one slice gives another value, or none, is NULL; the others stay; the first slice's delay counts."""
    files, known = series(tmp_path)
    changed(files[1], EchoTime="2.5", AcquisitionTime="120038")
    assert known() == FOUND | {"echo_time_ms": None, "seconds_after_contrast": 38.0}


def test_ct_gives_its_own(tmp_path):
    """The tube's voltage and exposure and the kernel, of a series that has been read and of one that has not."""
    files, known = series(tmp_path, KVP="120", Exposure="90", ConvolutionKernel="Br40")
    expected = FOUND | {"kvp": 120.0, "exposure_mas": 90.0, "kernel": "Br40"}
    assert known() == expected
    read_series(files[0].parent, SeriesRule())
    assert known() == expected


def test_headers_are_kept_while_no_file_changes(tmp_path):
    """The headers of the volume that was read last are told of; those of another, or of changed files, are read."""
    files, known = series(tmp_path / "one")
    other, _ = series(tmp_path / "other", EchoTime="2.5")
    read_series(tmp_path / "one", SeriesRule())
    kept = chosen_headers(tmp_path / "one", SeriesRule())
    assert chosen_headers(tmp_path / "one", SeriesRule()) is kept
    assert chosen_headers(other[0].parent, SeriesRule())[0].EchoTime == 2.5
    for file in files:
        changed(file, EchoTime="3.25", PatientName="Doe^Jane^Longer")
    assert known()["echo_time_ms"] == 3.25


@pytest.mark.parametrize(
    ("written", "vendor"),
    [
        *(("GE MEDICAL SYSTEMS", "GE"), ("Philips Healthcare", "Philips"), ("TOSHIBA_MEC", "Toshiba")),
        *(("Generic Imaging", "other"), ("Dr. Doe's scanner", "other"), ("", None)),
    ],
)
def test_a_vendor_is_one_of_a_list(tmp_path, written, vendor):
    """Whatever else stands in Manufacturer does not get into the store."""
    assert series(tmp_path, Manufacturer=written)[1]()["manufacturer"] == vendor


@pytest.mark.parametrize("model", ["Doe 19500101", "ID 12-34-56", "x" * 41, "a\x1b[2J", "Jané"])
def test_a_model_is_short_and_plain(tmp_path, model):
    """A date, a long number, an escape sequence or a long text in the model's name is left out."""
    assert (
        series(tmp_path, ManufacturerModelName=model, SpecificCharacterSet="ISO_IR 100")[1]()["scanner_model"] is None
    )


def test_numbers_that_are_none_of_their_kind_are_left_out(tmp_path):
    """A field of 15000 (gauss), a negative angle and a repetition time of 0 are no values."""
    found = series(tmp_path, MagneticFieldStrength="15000", FlipAngle="-10", RepetitionTime="0")[1]()
    assert found == FOUND | {"field_strength_t": None, "flip_angle_deg": None, "repetition_time_ms": None}


def test_a_sidecar_gives_milliseconds(tmp_path):
    """BIDS has times in seconds and the scanner's model under another name; what is no number is none."""
    image = tmp_path / "sub-1_T1w.nii.gz"
    said = {
        "Manufacturer": "GE",
        "ManufacturersModelName": "SIGNA Premier",
        "MagneticFieldStrength": 3,
        "EchoTime": 0.0019,
    }
    said |= {"RepetitionTime": 0.0042, "FlipAngle": "ten", "InversionTime": True, "KVP": float("nan")}
    said |= {"PatientID": "7"}
    (tmp_path / "sub-1_T1w.json").write_text(json.dumps(said))
    found = {name: value for name, value in acquisition_of(Source(image)).items() if value is not None}
    assert found.pop("echo_time_ms") == pytest.approx(1.9)
    assert found.pop("repetition_time_ms") == pytest.approx(4.2)
    assert found == {"manufacturer": "GE", "scanner_model": "SIGNA Premier", "field_strength_t": 3.0}


def test_a_sidecar_that_gives_milliseconds_has_no_echo_time(tmp_path):
    """4.2 for 0.0042 seconds would be an echo after four seconds, which no image has."""
    (tmp_path / "a.json").write_text('{"EchoTime": 4.2}')
    assert acquisition_of(Source(tmp_path / "a.nii"))["echo_time_ms"] is None


@pytest.mark.parametrize("content", [b"[1]", b"{", b"[" * 100_000, b'{"EchoTime": 1e400}', b"\xed\xa0\x80"])
def test_a_sidecar_that_cannot_be_read_says_nothing(tmp_path, content):
    """No sidecar ends the reading of its image, whatever stands in it."""
    (tmp_path / "a.json").write_bytes(content)
    assert not any(acquisition_of(Source(tmp_path / "a.nii")).values())


def test_an_ingest_fills_the_table_and_the_report_shows_it(small_study):
    """Images with sidecars have rows, others none; the report counts vendors and has medians by phase and cohort."""
    for number, patient in enumerate(small_study.patients):
        sidecar = small_study.image_file(patient).with_name(f"{patient}_AP.json")
        sidecar.write_text(json.dumps({"Manufacturer": "Philips", "EchoTime": 0.001 * (1 + number)}))
    small_study.ingest()
    rows = small_study.sql("select patient, phase, manufacturer, echo_time_ms from acquisitions")
    assert [(row["patient"], row["phase"]) for row in rows] == [(each, "AP") for each in small_study.patients]
    assert [row["echo_time_ms"] for row in rows] == pytest.approx([1, 2, 3, 4])
    assert store_verification(small_study.store).is_clean
    assert small_study.ingest().commit_id is None
    table = Page(write_report(small_study.store, "small").read_text()).table("How the images were acquired")
    assert table.rows[1:] == [
        ["echo time, ms", "AP", "training", "2", "1.50", "1.00\u20132.00"],
        ["echo time, ms", "AP", "validation", "2", "3.50", "3.00\u20134.00"],
        ["manufacturer: Philips", "AP", "training", "2", "", ""],
        ["manufacturer: Philips", "AP", "validation", "2", "", ""],
    ]


def test_functional_groups_of_all_frames_count(tmp_path):
    """A file of several frames has its fields in the groups that all frames share."""

    def with_timing(dataset):
        (shared,) = dataset.SharedFunctionalGroupsSequence
        shared.MRTimingAndRelatedParametersSequence = item(RepetitionTime=5.0, FlipAngle=12.0)
        shared.MREchoSequence = item(EffectiveEchoTime=2.0)

    write_multiframe(tmp_path / "enhanced.dcm", [numbered(3, 4, 5)], PLACE, change=with_timing)
    found = acquisition_of(Source(tmp_path / "enhanced.dcm", SeriesRule()))
    assert {name: value for name, value in found.items() if value is not None} == {
        "repetition_time_ms": 5.0,
        "flip_angle_deg": 12.0,
        "echo_time_ms": 2.0,
        "slice_thickness_mm": 2.0,
    }
