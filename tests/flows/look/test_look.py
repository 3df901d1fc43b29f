"""``radzoo look``: pictures of what is in the store, of nobody else, and never over files of others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from builders.study import SmallStudy
from PIL import Image

from flows.imaging.labels import lesion_voxels
from flows.imaging.volumes import ReadingFolders, image_sha256, label_sha256, read_volume
from flows.look.case import shown_scan
from flows.look.pictures import SheetCase, bar_mm, outline, write_sheet
from flows.look.run import look
from schemas.errors import NotFoundError, UsageError
from schemas.keys import MaskKey
from store.erasure.erase import erase_patient
from store.history.study_masks import StudyMask, study_masks


def test_the_page_has_every_case_and_its_flags(small_study, capsys):
    """Each patient and phase is there, with strips of as many slices as are told, and one that is odd is named."""
    odd = small_study.mask("P2")
    voxels = sitk.GetArrayFromImage(odd)
    voxels[:] = 0
    voxels[3, 4, 5] = 1
    small_study.write_mask("P2", mask=sitk.GetImageFromArray(voxels))
    mask = sitk.GetImageFromArray(voxels)
    mask.CopyInformation(odd)
    small_study.write_mask("P2", mask=mask)
    small_study.ingest()
    code, out, _ = small_study.ask(capsys, "look")
    assert code == 0
    assert "small: 8 images with a mask" in out
    assert "look at P2 AP: few voxels; few slices; few intensities; another volume" in out
    assert "look at P2 DP: another volume" in out
    assert "to look at twice: another volume 2, few voxels 1, few slices 1, few intensities 1" in out
    folder = small_study.store_root / "report" / "look" / "small"
    page = (folder / "index.html").read_text()
    assert all(f'id="{patient}"' in page for patient in small_study.patients)
    assert page.count('type="range"') == 8
    assert page.count('class="case flagged"') == 1
    assert len(list((folder / "slices").iterdir())) == 16
    with Image.open(folder / "sheet-001.png") as sheet:
        assert min(sheet.size) > 500


def test_a_picture_shows_the_lesion_where_it_is(small_study):
    """The kept slices are those about the lesion, grey from percentile to percentile, and the contour is its edge."""
    small_study.ingest()
    first = study_masks(small_study.snapshot, "small")[0]
    assert (first.key.patient, first.key.phase) == ("P1", "AP")
    shown = shown_scan(first, ReadingFolders(small_study.folder))
    assert shown.pictures.shape == shown.lesion.shape == (8, 10, 12)
    assert np.array_equal(shown.lesion, sitk.GetArrayFromImage(small_study.mask("P1")))
    assert (shown.pictures.min(), shown.pictures.max()) == (0, 255)
    assert shown.lesion[shown.largest].sum() == 30
    edge = outline(shown.lesion)
    assert edge[3].sum() == 2 * (5 + 6) - 4
    assert not (edge & ~shown.lesion.astype(bool)).any()


def of_arrays(folder, image, mask, spacing):
    """Return what is shown of an image and a mask, slice by slice."""
    files = {}
    for name, array in (("image", image), ("mask", mask)):
        volume = sitk.GetImageFromArray(array)
        volume.SetSpacing(spacing)
        files[name] = folder / f"{name}.nii.gz"
        sitk.WriteImage(volume, str(files[name]))
    read = {name: read_volume(file) for name, file in files.items()}
    hashes = image_sha256(read["image"]), label_sha256(read["mask"], lesion_voxels(read["mask"], 1))
    key = MaskKey("P1", "baseline", "AP", "1", reader="R1", reading=1)
    row = StudyMask(key, True, str(files["image"]), str(files["mask"]), 1, *hashes, 0.0, 1)
    return shown_scan(row, ReadingFolders())


def test_pixels_are_square_and_few(tmp_path):
    """Rows of 2 mm and columns of 0.5 mm become square pixels."""
    image = np.random.default_rng(0).normal(size=(3, 30, 120)).astype(np.float32)
    mask = np.pad(np.ones((1, 10, 40), np.uint8), ((1, 1), (10, 10), (40, 40)))
    shown = of_arrays(tmp_path, image, mask, (0.5, 2.0, 5.0))
    assert (shown.pixel_mm, shown.pictures.shape) == (0.5, (3, 120, 120))
    assert shown.lesion[1].sum() == 40 * 40
    assert (shown.measures.voxels, shown.measures.diameter_mm) == (400, pytest.approx(np.hypot(39 * 0.5, 9 * 2.0)))


def test_a_small_lesion_of_a_large_slice_is_shown(tmp_path):
    """Where a pixel stands for several voxels, one of the lesion is enough; a grid of one column is shown too."""
    for size in ((3, 1000, 1000), (3, 1, 40), (3, 40, 1)):
        mask = np.zeros(size, np.uint8)
        mask[1, size[1] // 2, size[2] // 2] = 1
        shown = of_arrays(
            tmp_path, np.random.default_rng(0).normal(size=size).astype(np.float32), mask, (0.5, 0.5, 2.0)
        )
        assert shown.lesion[shown.largest].sum() == 1
        assert max(shown.pictures.shape[1:]) <= 320
        write_sheet(tmp_path / "sheet.png", ["AP"], [SheetCase("P1", [shown], ["one voxel"])], "$title$")


@pytest.mark.parametrize(("width", "bar"), [(400, 100), (200, 50), (40, 10), (5, 2), (0.1, 0.1)])
def test_the_scale_bar_fits_the_picture(width, bar):
    """It is a round length of at most 40 % of the width."""
    assert bar_mm(width) == bar


def test_a_file_that_changed_since_is_not_shown(small_study, capsys):
    """What is shown is what was ingested: another image under the same name is named."""
    small_study.ingest()
    small_study.write_image("P2", seed=5)
    code, out, _ = small_study.ask(capsys, "look")
    assert code == 5
    assert "failed: P2 AP: image: it is not what was ingested" in out


def test_a_file_that_went_costs_its_own_picture(small_study, capsys):
    """The others are shown, the one that cannot be read is named, and the exit code says so."""
    small_study.ingest()
    small_study.image_file("P3").unlink()
    code, out, _ = small_study.ask(capsys, "look")
    assert code == 5
    assert "failed: P3 AP: file is missing" in out
    assert "small: 7 images with a mask" in out


def test_one_patient_alone_may_be_asked_for(small_study, tmp_path):
    """The page has this patient; one whom nobody knows is named."""
    small_study.ingest()
    report = look(small_study.store, "small", patients=("P2",), out=tmp_path / "doubtful")
    page = report.page.read_text()
    assert (report.scans, "P2" in page, "P1" in page) == (2, True, False)
    with pytest.raises(NotFoundError, match="no mask of patient 'P9'"):
        look(small_study.store, "small", patients=("P9",))


def test_files_of_others_are_not_replaced(small_study, tmp_path):
    """A folder of something else is refused and stays; one that a former call wrote is replaced."""
    small_study.ingest()
    (tmp_path / "mine").mkdir()
    for name in ("notes.txt", "index.html"):
        (tmp_path / "mine" / name).write_text("mine")
    with pytest.raises(UsageError, match="has other files"):
        look(small_study.store, "small", out=tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"
    for place, words in (("/dev/null", "is no folder"), ("/proc/look", "cannot be made")):
        with pytest.raises(UsageError, match=words):
            look(small_study.store, "small", out=Path(place))
    look(small_study.store, "small", out=tmp_path / "own")
    assert look(small_study.store, "small", out=tmp_path / "own").scans == 8


def test_nothing_stays_of_whom_is_erased(small_study: SmallStudy):
    """An erasure takes pages and pictures with it."""
    small_study.ingest()
    page = look(small_study.store, "small").page
    erase_patient(small_study.store, "P2")
    assert not page.exists()
