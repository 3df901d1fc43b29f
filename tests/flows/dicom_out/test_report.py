"""A structured report, read back by highdicom and by readers that share no code with it."""

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import highdicom
import numpy as np
import pytest
from builders.dicom.study import DicomStudy
from pydicom import dcmread

from flows.dicom_out.run import write_dicom
from schemas.features.ibsi import FEATURES

SEG, SR = "lesion-1_reader-R1_1_seg.dcm", "lesion-1_reader-R1_1_sr_quick@1.dcm"
GROUPS = ("original", "log-sigma-3-0-mm-3D")


@pytest.fixture(scope="module")
def stored(dicom_study):
    """Give the store's row of a mask and its dictionary, column by column."""
    row = next(each for each in dicom_study.sql("select * from quick where phase = 'AP'") if each["patient"] == "P1")
    return row, dicom_study.snapshot.rows("features", feature_set="quick@1")


@pytest.fixture(scope="module")
def file(written):
    """Give the report of that mask."""
    return written / "P1" / "baseline" / "AP" / SR


def coded(entry):
    """Return scheme and meaning of a feature's code."""
    return ("IBSI" if entry["ibsi_id"] else "99RADZOO"), f"{entry['family']} {entry['name']}"


def test_highdicom_reads_each_value_with_code_and_unit(stored, file, written):
    """A group an image type, a measurement a feature, to the last bit, of the segment that it refers to."""
    row, dictionary = stored
    segmentation = dcmread(written / "P1" / "baseline" / "AP" / SEG)
    report = highdicom.sr.srread(file)
    groups = report.content.get_volumetric_roi_measurement_groups()
    assert [each.method.meaning for each in groups] == [f"Image type {name}" for name in GROUPS]
    found = [(group, each) for group in groups for each in group.get_measurements()]
    assert len(found) == len(dictionary) == 32 + 18 + 24 + 24
    for entry, (group, each) in zip(dictionary, found, strict=True):
        assert group.method.meaning == f"Image type {entry['image_type']}"
        assert (each.name.scheme_designator, each.name.meaning) == coded(entry)
        assert entry["ibsi_id"] in (None, each.name.value)
        assert (each.unit.value, each.unit.scheme_designator) == (entry["unit"], "UCUM")
        assert each.value == row[entry["feature"]]
        departs = entry["ibsi_id"] is not None and entry["deviation"] is not None
        assert (each.method is not None and each.method.value == "not-as-ibsi") == departs
    for group in groups:
        assert group.tracking_uid == segmentation.SegmentSequence[0].TrackingUID
        assert group.tracking_identifier == "P1 lesion 1"
        segment = group.referenced_segment
        assert (segment.referenced_sop_instance_uid, list(segment.referenced_segment_numbers)) == (
            segmentation.SOPInstanceUID,
            [1],
        )


def test_a_group_says_by_what_its_values_were_computed(stored, file):
    """Feature set, version, pyradiomics' version, settings, and where a value departs from IBSI."""
    row, _ = stored
    first, *_ = highdicom.sr.srread(file).content.get_volumetric_roi_measurement_groups()
    said = {
        name: [each.value for each in first[0].ContentSequence if each.name.meaning == name]
        for name in ("Algorithm Name", "Algorithm Version", "Algorithm Parameters")
    }
    assert (said["Algorithm Name"], said["Algorithm Version"]) == (["quick"], ["1"])
    summary, settings, definition, extraction, *departures = said["Algorithm Parameters"]
    assert summary.startswith("quick@1, image type original, pyradiomics 3.0.1, ")
    assert json.loads(settings.removeprefix("settings "))["bin_width"] == 25
    assert re.fullmatch("definition sha256 [0-9a-f]{64}", definition)
    assert extraction == f"extraction {row['extraction_id']}"
    assert any(each.startswith("firstorder Kurtosis (IPH6): Kurtosis is not reduced") for each in departures)


def test_a_code_stands_once_in_a_group(file):
    """Readers that key values by code lose none; private codes have at most 16 characters."""
    for group in highdicom.sr.srread(file).content.get_volumetric_roi_measurement_groups():
        names = [(each.name.scheme_designator, each.name.value) for each in group.get_measurements()]
        assert len(set(names)) == len(names)
        assert all(len(value) <= 16 for _, value in names)
    schemes = {each.CodingSchemeDesignator: each for each in dcmread(file).CodingSchemeIdentificationSequence}
    assert set(schemes) == {"IBSI", "99RADZOO"}
    assert schemes["IBSI"].CodingSchemeUID == "1.2.840.10008.2.16.13"


def test_every_feature_of_the_dictionary_has_a_code_of_its_own():
    """Private codes are cut to 16 characters, and no two become one."""
    from flows.dicom_out.codes import feature_concept
    from schemas.features.names import FeatureName

    concepts = [
        feature_concept(FeatureName("original", family, entry.name), entry.ibsi_id)
        for family, entries in FEATURES.items()
        for entry in entries
    ]
    assert len({(each.scheme_designator, each.value) for each in concepts}) == len(concepts) == 107


@pytest.mark.skipif(shutil.which("dsr2xml") is None, reason="DCMTK is not installed: apt-get install dcmtk")
def test_dcmtk_reads_the_same_values(stored, file):
    """dsr2xml checks the content against the rules of its class, and gives each value to 14 digits."""
    row, dictionary = stored
    done = subprocess.run(["dsr2xml", str(file)], capture_output=True, text=True, check=True)
    assert not [line for line in done.stderr.splitlines() if line.startswith("E:")]
    read = [
        (num.findtext("concept/scheme/designator"), num.findtext("concept/meaning"), num.findtext("unit/value"), value)
        for num in ET.fromstring(done.stdout).iter("num")  # noqa: S314  (DCMTK's own output)
        if (value := num.findtext("value"))
    ]
    assert [each[:3] for each in read] == [(*coded(entry), entry["unit"]) for entry in dictionary]
    assert np.allclose([float(each[3]) for each in read], [row[entry["feature"]] for entry in dictionary], rtol=1e-12)


@pytest.mark.skipif(shutil.which("tid1500reader") is None, reason="dcmqi is not installed: pip install dcmqi")
def test_dcmqi_reads_the_same_values(stored, file, tmp_path):
    """As a measurement report by template TID 1500, with the method and the segment of each group."""
    row, dictionary = stored
    command = ["tid1500reader", "--inputDICOM", str(file), "--outputMetadata", str(tmp_path / "report.json")]
    subprocess.run(command, capture_output=True, check=True)
    groups = json.loads((tmp_path / "report.json").read_text())["Measurements"]
    assert [each["measurementMethod"]["CodeMeaning"] for each in groups] == [f"Image type {name}" for name in GROUPS]
    assert {each["ReferencedSegment"] for each in groups} == {1}
    read = [item for group in groups for item in group["measurementItems"]]
    names = [(each["quantity"]["CodingSchemeDesignator"], each["quantity"]["CodeMeaning"]) for each in read]
    assert names == [coded(entry) for entry in dictionary]
    assert np.allclose(
        [float(each["value"]) for each in read], [row[entry["feature"]] for entry in dictionary], rtol=1e-12
    )


def test_a_feature_without_a_value_is_left_out(tmp_path):
    """The row of the store has no value of it and says why; the others are measurements."""
    study = DicomStudy.below(tmp_path, patients=("P1",))
    study.keep("P1")
    study.edit("bin_width = 25", "bin_width = 0.001")
    study.edit('families = ["shape", "firstorder"]', 'families = ["shape", "firstorder", "glcm", "ngtdm"]')
    study.ingest()
    study.refresh_without_prefect()
    missing = [each["feature"] for each in study.sql("from failures") if each["feature"] and each["phase"] == "AP"]
    assert missing
    write_dicom(study.store, tmp_path / "out", None, workers=1)
    report = highdicom.sr.srread(tmp_path / "out" / "P1" / "baseline" / "AP" / SR)
    (group,) = report.content.get_volumetric_roi_measurement_groups()
    assert len(group.get_measurements()) == len(study.snapshot.rows("features")) - len(missing)
