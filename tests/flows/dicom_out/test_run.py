"""``radzoo dicom``: what is written of a study, what it refers to, and what stays behind."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from builders.dicom.refusals import SECRETS
from builders.dicom.study import DicomStudy
from builders.study import SmallStudy
from pydicom import dcmread

from flows.dicom_out.run import write_dicom
from flows.imaging.dicom.masks import read_dicom_mask
from flows.imaging.dicom.volumes import read_series
from flows.imaging.grids import grid_of
from flows.imaging.patient_axes import frame_of_reference
from schemas.errors import ContractError, NotFoundError, UsageError
from schemas.study.dicom_parts import SeriesRule
from store.erasure.erase import erase_patient

SEG, SR = "lesion-1_reader-R1_1_seg.dcm", "lesion-1_reader-R1_1_sr_quick@1.dcm"


def test_each_mask_gets_a_segmentation_and_a_report(written):
    """A folder a patient, exam and phase; the images stay where they are."""
    files = {str(file.relative_to(written)) for file in written.rglob("*.dcm")}
    assert files == {
        f"{p}/baseline/{phase}/{name}" for p in ("P1", "P2") for phase in ("AP", "DP") for name in (SEG, SR)
    }


def test_what_is_written_refers_to_the_instances_of_the_source(dicom_study, written):
    """Study, series, frame of reference and each slice are those of the scanner."""
    sources = [dcmread(file) for file in dicom_study.series_folder("P1", "DP").glob("*.dcm")]
    for name in (SEG, SR):
        found = dcmread(written / "P1" / "baseline" / "DP" / name)
        assert found.StudyInstanceUID == sources[0].StudyInstanceUID
        assert found.PatientID == "P1"
    seg = dcmread(written / "P1" / "baseline" / "DP" / SEG)
    (series,) = seg.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == sources[0].SeriesInstanceUID
    assert {each.ReferencedSOPInstanceUID for each in series.ReferencedInstanceSequence} == {
        each.SOPInstanceUID for each in sources
    }
    assert seg.FrameOfReferenceUID == sources[0].FrameOfReferenceUID
    report = dcmread(written / "P1" / "baseline" / "DP" / SR)
    evidence = {
        instance.ReferencedSOPInstanceUID
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    assert evidence == {seg.SOPInstanceUID} | {each.SOPInstanceUID for each in sources}


def test_each_frame_is_derived_from_the_slice_it_lies_on(dicom_study, written):
    """The source image of a frame has the frame's position."""
    sources = {each.SOPInstanceUID: each for each in map(dcmread, dicom_study.series_folder("P2", "AP").glob("*.dcm"))}
    seg = dcmread(written / "P2" / "baseline" / "AP" / SEG)
    groups = seg.PerFrameFunctionalGroupsSequence
    assert len(groups) == 4
    for group in groups:
        (source,) = group.DerivationImageSequence[0].SourceImageSequence
        position = sources[source.ReferencedSOPInstanceUID].ImagePositionPatient
        assert np.allclose(group.PlanePositionSequence[0].ImagePositionPatient, position)


def test_a_written_segmentation_is_the_mask_voxel_for_voxel(dicom_study, written):
    """Read by what reads masks of a study, on an oblique grid."""
    for patient, phase in (("P1", "AP"), ("P2", "DP")):
        image = read_series(dicom_study.series_folder(patient, phase), SeriesRule())
        file = written / patient / "baseline" / phase / SEG
        mask = read_dicom_mask(file, grid_of(image), 1, "lesion 1", frame_of_reference=frame_of_reference(image))
        drawn = sitk.ReadImage(str(dicom_study.mask_file(patient, phase)))
        assert np.array_equal(sitk.GetArrayFromImage(mask), sitk.GetArrayFromImage(drawn))


def test_no_word_of_the_source_headers_but_uids_goes_out(written):
    """Names, dates, hospital and the scanner's PatientID are in the sources, and in no file."""
    for file in written.rglob("*.dcm"):
        content = file.read_bytes()
        # A UID or a measurement may have any six digits within it; a time or a date stands by itself.
        assert not [each for each in (*SECRETS, "T1 post") if re.search(rf"(?<![\d.]){each}(?!\d)".encode(), content)]
        found = dcmread(file)
        for keyword in ("PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "AccessionNumber"):
            assert found[keyword].is_empty


def test_written_twice_it_is_the_same(dicom_study, written, tmp_path):
    """Each byte, and so each UID."""
    write_dicom(dicom_study.store, tmp_path / "again", "small", patients=["P2"])
    again = sorted((tmp_path / "again").rglob("*.dcm"))
    assert len(again) == 4
    for file in again:
        assert file.read_bytes() == (written / file.relative_to(tmp_path / "again")).read_bytes()


def test_different_objects_have_different_uids(written):
    """Of instances, series and dimensions; the lesion of a patient has one in all phases."""
    files = [dcmread(file) for file in written.rglob("*.dcm")]
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        assert len({each[keyword].value for each in files}) == len(files)
    segmentations = [each for each in files if each.Modality == "SEG"]
    assert len({each.DimensionOrganizationSequence[0].DimensionOrganizationUID for each in segmentations}) == 4
    tracked = {(each.PatientID, each.SegmentSequence[0].TrackingUID) for each in segmentations}
    assert len(tracked) == 2
    assert all(each.SOPInstanceUID.is_valid and each.SOPInstanceUID.startswith("2.25.") for each in files)


def test_the_verb_says_what_it_wrote(dicom_study, capsys, tmp_path):
    """In words and as JSON."""
    code, out, _ = dicom_study.ask(capsys, "dicom", tmp_path / "one", "--patient", "P1")
    assert (code, out) == (0, f"small: 2 segmentations, 2 structured reports in {tmp_path / 'one'}\n")
    code, out, _ = dicom_study.ask(capsys, "dicom", tmp_path / "one")
    assert code == 2
    assert list(tmp_path.iterdir()) == [tmp_path / "one"]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"patients": ["P9"]}, NotFoundError, "no mask of patient 'P9'"),
        ({"feature_sets": ["slow@1"]}, NotFoundError, "no radiomics of feature set 'slow@1'"),
        ({"study": "other"}, NotFoundError, "there is no study 'other'"),
    ],
)
def test_what_is_not_there_is_not_found(dicom_study, tmp_path, options, error, words):
    """Nothing is left behind."""
    with pytest.raises(error, match=words):
        write_dicom(dicom_study.store, tmp_path / "out", **({"study": "small"} | options))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_named(dicom_study, tmp_path):
    """A file stands where it would go."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be made"):
        write_dicom(dicom_study.store, tmp_path / "file" / "out", None)


@pytest.fixture
def own_study(tmp_path):
    """Give a DICOM study that a test may change, ingested."""
    study = DicomStudy.below(tmp_path, patients=("P1", "P2"))
    study.keep("P1", "P2")
    study.ingest()
    return study


def test_a_mask_that_cannot_be_written_costs_itself(own_study, capsys, tmp_path):
    """The others are written, the reason is said, and what has no features has no report."""
    shutil.rmtree(own_study.series_folder("P1", "DP"))
    changed = own_study.mask("P2", grow=1)
    own_study.write_mask("P2", "AP", mask=changed)
    code, out, _ = own_study.ask(capsys, "dicom", tmp_path / "out")
    assert code == 5
    assert "small: 2 segmentations, 0 structured reports in" in out
    assert "2 segmentations without a report: radzoo refresh --study small computes what is missing" in out
    assert "failed: P1/baseline/DP/1/R1.1: none of its 1 series fits description = 'DP'" in out
    assert "failed: P2/baseline/AP/1/R1.1: mask: it is not what was ingested" in out
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 2


def test_an_erased_patient_is_not_written(own_study, tmp_path):
    """Nor is anything of the others held back."""
    erase_patient(own_study.store, "P1", author="tester")
    found = write_dicom(own_study.store, tmp_path / "out", None)
    assert (found.segmentations, [each.name for each in Path(found.folder).iterdir()]) == (2, ["P2"])


@pytest.mark.parametrize("keyword", ["FrameOfReferenceUID", "StudyInstanceUID"])
def test_a_series_that_nothing_can_refer_to_is_refused(own_study, tmp_path, keyword):
    """Its header lacks the UID; the error names it, and no folder is left."""
    for file in (own_study.folder / "dicom").rglob("*.dcm"):
        header = dcmread(file)
        del header[keyword]
        header.save_as(file)
    own_study.ingest()
    with pytest.raises(ContractError, match=f"not one of 4 masks can be written.*lacks {keyword}"):
        write_dicom(own_study.store, tmp_path / "out", None)
    assert not (tmp_path / "out").exists()


class WholeNumbers(SmallStudy):
    """The small study with images of whole numbers, as scanners store them."""

    def image(self, *arguments, **options):
        """Return a patient's image, rounded."""
        return sitk.Cast(sitk.Round(super().image(*arguments, **options)), sitk.sitkInt16)


def test_images_that_are_no_dicom_are_refused_with_the_way_out(tmp_path):
    """There are no instances to refer to, unless the images are written too."""
    study = WholeNumbers.below(tmp_path, patients=("P1",))
    study.keep("P1")
    study.ingest()
    with pytest.raises(ContractError, match="no image of study 'small' is DICOM") as error:
        write_dicom(study.store, tmp_path / "out", None)
    assert f"radzoo dicom {tmp_path / 'out'} --study small --with-images" in str(error.value)
    found = write_dicom(study.store, tmp_path / "out", None, with_images=True)
    assert (found.segmentations, found.images) == (2, 16)
    folder = tmp_path / "out" / "P1" / "baseline" / "AP"
    image = read_series(folder / "image", SeriesRule())
    assert np.array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(study.image("P1")))
    mask = read_dicom_mask(folder / SEG, grid_of(image), 1, None, frame_of_reference=frame_of_reference(image))
    assert np.array_equal(sitk.GetArrayFromImage(mask), sitk.GetArrayFromImage(study.mask("P1")))


def test_values_that_dicom_cannot_hold_are_not_rounded(tmp_path):
    """Features were computed of them, and not of what a series would hold."""
    study = SmallStudy.below(tmp_path, patients=("P1",))
    study.keep("P1")
    study.ingest()
    with pytest.raises(ContractError, match="no whole numbers of 16 bits"):
        write_dicom(study.store, tmp_path / "out", None, with_images=True)
