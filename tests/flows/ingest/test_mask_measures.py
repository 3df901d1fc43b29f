"""What ingest measures of masks and the images inside them, kept with the masks and gone with them."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from flows.imaging.sources import Source
from flows.look.run import look
from flows.scans.last_image import ReadImage
from flows.scans.reader import ImageReader
from schemas.keys import MaskKey
from store.commits.commit import commit_to
from store.verification.verify import store_verification

MEASURES = "select patient, phase, components, slices, distinct_values, lowest, highest, flags from quality"


def with_parts(study, patient):
    """Write a mask of two parts, one of them a voxel at the border."""
    mask = study.mask(patient)
    mask[0, 0, 0] = 1
    study.write_mask(patient, mask=mask)


def forget_measures(study, patient):
    """Leave a mask as a release wrote it that measured none."""
    rows = [row for row in study.snapshot.rows("mask_measures") if row["patient"] == patient]
    with commit_to(study.store, "as before") as commit:
        commit.remove("mask_measures", rows)


def test_measures_are_those_of_image_and_mask(small_study):
    """Each mask has what its voxels give, counted here from the arrays that were written."""
    with_parts(small_study, "P2")
    small_study.ingest()
    rows = {(row["patient"], row["phase"]): row for row in small_study.sql("from quality")}
    assert len(rows) == 8
    for (patient, phase), row in rows.items():
        mask = sitk.GetArrayFromImage(sitk.ReadImage(str(small_study.mask_file(patient, phase)))) == 1
        inside = sitk.GetArrayFromImage(small_study.image(patient, phase))[mask]
        odd = (patient, phase) == ("P2", "AP")
        assert (row["lesion_voxels"], row["distinct_values"]) == (len(inside), len(np.unique(inside)))
        assert (row["lowest"], row["highest"]) == (inside.min(), inside.max())
        assert (row["components"], row["largest_component"], row["border_voxels"]) == (1 + odd, 120, int(odd))
        assert row["slices"] == 4 + odd
        assert row["diameter_mm"] == np.hypot(4, 5)
        assert row["flags"] == (["several parts", "at the border"] if odd else [])
    assert store_verification(small_study.store).is_clean


def test_measures_follow_their_mask(small_study):
    """An unchanged study changes no measure; a corrected mask is measured again; one that went takes its own along."""
    small_study.ingest()
    before = small_study.sql(MEASURES)
    assert small_study.ingest().commit_id is None
    with_parts(small_study, "P2")
    small_study.mask_file("P3").unlink()
    small_study.ingest()
    after = small_study.sql(MEASURES)
    assert len(before) - len(after) == 1
    assert [row["components"] for row in after if (row["patient"], row["phase"]) == ("P2", "AP")] == [2]
    assert len(small_study.snapshot.rows("mask_measures")) == 7


def test_a_corrected_image_is_measured_again(small_study):
    """The mask stays and is read again: what lies inside it is another image's."""
    small_study.ingest()
    small_study.write_image("P2", seed=3)
    small_study.ingest()
    (row,) = small_study.sql(f"{MEASURES} where patient = 'P2' and phase = 'AP'")
    inside = sitk.GetArrayFromImage(small_study.image("P2", seed=3))[2:6, 3:8, 3:9]
    assert (row["lowest"], row["highest"]) == (inside.min(), inside.max())


def test_masks_of_an_earlier_release_are_measured_when_they_are_read_again(small_study, capsys):
    """Unchanged files are not read for it, look says what is missing, and --read-again brings it."""
    small_study.ingest()
    before = small_study.sql(MEASURES)
    forget_measures(small_study, "P2")
    assert small_study.ingest().commit_id is None
    assert [row["flags"] for row in small_study.sql(MEASURES) if row["patient"] == "P2"] == [None, None]
    code, out, _ = small_study.ask(capsys, "look")
    assert code == 0
    assert "without flags: 2 masks" in out
    report = look(small_study.store, "small")
    assert "2 masks without flags" in report.page.read_text()
    assert small_study.ingest(read_again=True).commit_id is not None
    assert sorted(map(repr, small_study.sql(MEASURES))) == sorted(map(repr, before))


def test_measures_of_another_mask_do_not_stay(small_study):
    """A mask that becomes the copy of one that nobody measured has no measures of its former content."""
    small_study.edit("masks/{patient}_DP.nii.gz", "masks/{patient}_AP.nii.gz")
    small_study.edit("images/{patient}_DP.nii.gz", "images/{patient}_AP.nii.gz")
    small_study.ingest()
    keys = [MaskKey("P2", "baseline", phase, "1", reader="R1", reading=1)._asdict() for phase in ("AP", "DP")]
    with commit_to(small_study.store, "as before") as commit:
        commit.remove("mask_measures", keys)
        commit.put("mask_measures", [keys[0] | {"components": 99}])
    small_study.ingest()
    assert [row["components"] for row in small_study.sql(MEASURES) if row["patient"] == "P2"] == [99, 99]


def test_a_reader_that_has_another_image_reads_the_masks_own_again(small_study):
    """Measures are of the image that is named, in whatever order files are read and after a crash alike."""
    with ImageReader(small_study.folder) as reader:
        images = {patient: Source(small_study.image_file(patient)) for patient in ("P1", "P2")}
        read = {patient: reader.scan(source) for patient, source in images.items()}
        for patient, (row, place, _) in read.items():
            image = ReadImage(images[patient], row["image_sha256"], place)
            found = reader.mask(Source(small_study.mask_file(patient)), image, 1, 1e-6)
            inside = sitk.GetArrayFromImage(small_study.image(patient))[2:6, 3:8, 3:9]
            assert found["measures"]["lowest"] == inside.min()
