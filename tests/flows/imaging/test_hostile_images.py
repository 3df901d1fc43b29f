"""Hostile images: each costs its own row; bounds hold before a voxel is read; a child that dies costs one unit."""

import gzip
import os
import signal
import struct
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from attacks import images, made_images

from flows.extract.batch import extract_units, mask_units
from flows.extract.limited_units import extract_in_child
from flows.extract.radiomics import extract
from flows.imaging.opened_files import library_words
from flows.imaging.volumes import ReadingFolders, read_volume
from flows.refresh.staged import staging_folder
from schemas.errors import ContractError, UsageError
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.settings import IMAGE_BYTES, limit_setting
from store.limits.process import LimitedProcess, Limits
from store.rows.staging import staged_ids

BOMBS = [name for name in made_images.CASES if "bomb" in name or "billion" in name or "million" in name]
QUICK = [name for name in made_images.CASES if name not in BOMBS]


def test_mutants_cost_their_own_rows(tmp_path):
    """Of mutated images each is refused in words or read as ITK reads it; good patients beside them are ingested."""
    outcomes, wrong = images.attack(5, 30, tmp_path / "study", refresh=False)
    assert wrong == []
    assert outcomes["refused"] > 5
    assert outcomes["as ITK reads it"] > 5


def test_images_made_by_hand_get_the_right_words(tmp_path):
    """A share of the hand-made hostile images: read where that is right, refused with the right words otherwise."""
    assert made_images.attack(tmp_path / "study", QUICK[::4]) == []


@pytest.mark.slow
def test_all_images_made_by_hand_get_the_right_words(tmp_path):
    """All of them, bombs included."""
    assert made_images.attack(tmp_path / "study", list(made_images.CASES)) == []


def packed_zeros(file, size, count):
    """Write a NIfTI file of a size that holds some packed zeros."""
    head = bytearray(352)
    edits = ((0, "i", (348,)), (40, "8h", (3, *size, 1, 1, 1, 1)), (70, "2h", (4, 16)), (76, "4f", (1, 1, 1, 1)))
    for offset, kinds, values in (*edits, (108, "f", (352,))):
        struct.pack_into(f"<{kinds}", head, offset, *values)
    head[344:348] = b"n+1\x00"
    file.write_bytes(gzip.compress(bytes(head) + bytes(count)))


def test_an_image_is_as_large_as_the_setting_allows(tmp_path, monkeypatch):
    """A header that counts more bytes than are read is refused by the setting's name, which raises the limit."""
    file = tmp_path / "A.nii.gz"
    packed_zeros(file, (64, 64, 64), 2 * 64**3)
    monkeypatch.setenv(IMAGE_BYTES.variable, str(2 * 64**3 - 1))
    with pytest.raises(ContractError, match=r"64x64x64 voxels, 524288 bytes, and at most 524287 .* RADZOO_IMAGE_BYTES"):
        read_volume(file)
    monkeypatch.setenv(IMAGE_BYTES.variable, str(2 * 64**3))
    assert read_volume(file).GetSize() == (64, 64, 64)


def test_packed_bytes_end_where_the_header_says(tmp_path):
    """A stream with one byte more than its header counts is refused, one with as many is read."""
    file = tmp_path / "A.nii.gz"
    packed_zeros(file, (8, 8, 8), 2 * 8**3)
    assert read_volume(file).GetSize() == (8, 8, 8)
    packed_zeros(file, (8, 8, 8), 2 * 8**3 + 1)
    with pytest.raises(ContractError, match="more voxels than its header counts, which are 512"):
        read_volume(file)


@pytest.mark.parametrize("written", ["0", "-1", "1e9", "many", "٣"])
def test_a_limit_that_is_no_number_is_refused(written):
    """A setting that is no whole number above 0 is named, not passed over."""
    with pytest.raises(UsageError, match=r"RADZOO_IMAGE_BYTES is '.*' and must be a whole number|RADZOO_IMAGE_BYTES"):
        limit_setting(IMAGE_BYTES, {IMAGE_BYTES.variable: written})
    assert limit_setting(IMAGE_BYTES, {}) == limit_setting(IMAGE_BYTES, {IMAGE_BYTES.variable: " "}) == 640 << 20


def test_a_grid_that_explodes_is_refused_before_it_is_made(monkeypatch):
    """A coarse scan on a fine grid is refused with the voxels that it would have."""
    image = sitk.GetImageFromArray(np.random.default_rng(1).normal(size=(4, 5, 6)).astype(np.float32))
    mask = sitk.GetImageFromArray(np.pad(np.ones((2, 3, 4), np.uint8), 1))
    for each in (image, mask):
        each.SetSpacing((500, 500, 500))
    settings = RadiomicsSettings(families=("firstorder",), bin_width=1, resampled_spacing_mm=(1, 1, 1))
    with pytest.raises(ContractError, match=r"the mask needs 2012 x 1512 x 1012 voxels, and at most 83886080 are"):
        extract(image, mask, settings)
    coarse = RadiomicsSettings(families=("firstorder",), bin_width=1, resampled_spacing_mm=(250, 250, 250))
    assert extract(image, mask, coarse).voxels > 0


def test_a_libraries_words_are_the_same_every_time():
    """What a library says is kept without places in memory, in files and in sources."""
    itk = RuntimeError("Exception thrown in X: /a/b.cxx:12:\nsitk::ERROR: ITK ERROR: Filter(0x55d0c0ffee00): no /tmp/x")
    assert library_words(itk) == "sitk::ERROR: ITK ERROR: no (a file)"
    assert library_words(ValueError("<object at 0x7f00deadbeef> of /home/somebody/x.py:3")) == "<object> of (a file)"
    assert library_words(KeyError()) == "no reason given"


def with_large_images(study, side):
    """Give the last patient images that take a while and some tens of megabytes; return all units."""
    voxels = np.random.default_rng(0).normal(500, 80, (side, side, side)).astype(np.float32)
    lesion = np.zeros(voxels.shape, np.uint8)
    lesion[2:6, 3:8, 3:9] = 1
    for number, phase in enumerate(study.phases):
        sitk.WriteImage(sitk.GetImageFromArray(voxels + number), str(study.image_file("P4", phase)))
        sitk.WriteImage(sitk.GetImageFromArray(lesion), str(study.mask_file("P4", phase)))
    study.edit('families = ["shape", "firstorder"]', 'families = ["firstorder"]\nnormalize = true')
    study.ingest()
    plan = study.plan()
    settings = plan.bound.definition.settings
    return mask_units(plan.missing), settings, staging_folder(study.store, plan.bound)


def test_a_unit_that_needs_too_much_memory_fails_alone(small_study, tmp_path):
    """Beyond the limit of memory an extraction fails with the setting's name; those before and after it are staged."""
    units, settings, staging = with_large_images(small_study, 192)
    staging.mkdir(parents=True)
    units = [*units[-2:], *units[:-2]]
    limits = Limits(120, 128 << 20, writable=(staging, tmp_path))
    with LimitedProcess(limits) as child:
        failures = extract_in_child(
            child, extract_units, units, settings, staging, ReadingFolders(small_study.folder, tmp_path)
        )
    assert [failure is None for failure in failures] == [False, False] + [True] * 6, failures
    assert all("memory" in failure for failure in failures[:2])
    assert len(staged_ids(staging)) == 6


def carried_out(small_study, tmp_path, number):
    """Return the failures of units, and those staged, where the child gets a signal when six of eight are staged."""
    units, settings, staging = with_large_images(small_study, 128)
    staging.mkdir(parents=True)

    def crash():
        own = Path(f"/proc/{os.getpid()}/task")
        until = time.monotonic() + 60
        while len(staged_ids(staging)) < 6 and time.monotonic() < until:
            time.sleep(0.005)
        children = {int(pid) for task in own.iterdir() for pid in (task / "children").read_text().split()}
        for pid in children - others:
            os.kill(pid, number)

    listed = [task / "children" for task in Path(f"/proc/{os.getpid()}/task").iterdir()]
    others = {int(pid) for each in listed for pid in each.read_text().split()}
    killer = threading.Thread(target=crash)
    killer.start()
    with LimitedProcess(Limits(120, 1 << 30, writable=(staging, tmp_path))) as child:
        failures = extract_in_child(
            child, extract_units, units, settings, staging, ReadingFolders(small_study.folder, tmp_path)
        )
    killer.join()
    return failures, staged_ids(staging)


def test_a_child_that_dies_costs_the_unit_it_was_at(small_study, tmp_path):
    """A crash in an extraction is that extraction's failure, with a next step; the ones after it are computed."""
    failures, staged = carried_out(small_study, tmp_path, signal.SIGSEGV)
    assert [failure is None for failure in failures] == [True] * 6 + [False, True]
    assert failures[6] == (
        "the computation crashes on this image and mask: look at both in a viewer, then run radzoo refresh "
        "--retry-failed"
    )
    assert len(staged) == 7


def test_a_child_that_is_killed_costs_nothing(small_study, tmp_path, capsys):
    """A kill says nothing of the unit that the child was at: it is computed once more, and a line says so."""
    failures, staged = carried_out(small_study, tmp_path, signal.SIGKILL)
    assert failures == [None] * 8
    assert len(staged) == 8
    assert capsys.readouterr().err.splitlines()[-1] == "a worker process was killed at P4: trying again"


def test_a_header_names_no_file_of_the_system(small_study):
    """A detached header that names another file than the study's is refused; neither name nor content is repeated."""
    secret = small_study.folder.parent / "secret.raw"
    secret.write_bytes(np.arange(960, dtype="<f4").tobytes())
    header = "NRRD0004\ntype: float\ndimension: 3\nsizes: 12 10 8\nspacings: 1 1 2\nencoding: raw\nendian: little\n"
    file = small_study.image_file("P2")
    small_study.edit("images/{patient}_AP.nii.gz", "images/{patient}_AP.dat")
    for patient in small_study.patients:
        small_study.image_file(patient).rename(small_study.image_file(patient).with_name(f"{patient}_AP.dat"))
    file = file.with_name("P2_AP.dat")
    reasons = set()
    for named in (str(secret), "../../secret.raw", "link.raw"):
        file.with_name("link.raw").unlink(missing_ok=True)
        file.with_name("link.raw").symlink_to(secret)
        file.write_text(f"{header}data file: {named}\n")
        (failure,) = small_study.ingest().failures
        reasons.add(failure["reason"])
    assert reasons == {
        "image images/P2_AP.dat: its header names a data file outside of the study's folder, or a link that leads out "
        "of it: copy the file beside its header and correct the name"
    }
    (small_study.folder / "raw").mkdir()
    secret.rename(small_study.folder / "raw" / "data.raw")
    file.write_text(f"{header}data file: ../raw/data.raw\n")
    (failure,) = small_study.ingest().failures
    assert failure["reason"].startswith("mask masks/P2_AP.nii.gz: other geometry")
