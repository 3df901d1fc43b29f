"""Regions: slices and box, what is computed together, and a refresh that keeps every promise of features."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import SimpleITK as sitk
from builders.study import counts
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from flows.cli.main import exit_code
from flows.demo.phantom.liver import PHASES, LesionTraits, lesion_mask, phantom_phases, true_transform
from flows.imaging.regions import PhaseImage, cropped_regions, largest_slices, square_box
from flows.overview.page import write_overview
from flows.refresh.run import refresh
from schemas.errors import ContractError, NotFoundError
from schemas.features.region_settings import RegionSettings, RegistrationSettings
from store.analyst.publish import publish_snapshot
from store.compaction.compact import compact_feature_set
from store.erasure.erase import erase_patient
from store.history.runs import record_run
from store.rows.regions import region_ids, stored_region_masks, stored_regions
from store.verification.verify import store_verification

UNREGISTERED = RegistrationSettings(method="none")
MASKS = arrays(np.bool_, st.tuples(st.integers(1, 6), st.integers(1, 12), st.integers(1, 12))).filter(np.any)
SPACINGS = st.tuples(st.floats(0.4, 4.0), st.floats(0.4, 4.0))


@given(mask=MASKS, spacing=SPACINGS, margin=st.floats(0.0, 20.0))
def test_the_square_holds_the_mask_and_its_margin(mask, spacing, margin):
    """Every voxel of the mask, its full width, lies inside; along the longer axis the margin is the asked one."""
    centre, side = square_box(mask, spacing, margin)
    spare = []
    for axis, (across, mm) in enumerate(zip(((0, 1), (0, 2)), spacing, strict=True)):
        at = np.flatnonzero(mask.any(axis=across))
        low, high = (at[0] - 0.5 - centre[axis]) * mm, (at[-1] + 0.5 - centre[axis]) * mm
        spare.append((low + side / 2, side / 2 - high))
    assert np.min(spare) == pytest.approx(margin, abs=1e-9)
    assert np.min(spare, axis=1).min() == np.min(spare)
    for before, after in spare:
        assert before == pytest.approx(after, abs=1e-9)


@given(mask=MASKS, data=st.data())
def test_the_slices_hold_the_largest_area_and_stay_inside(mask, data):
    """The slices are consecutive, within the volume, have the largest area among them, in the middle if it can be."""
    slices = data.draw(st.integers(1, len(mask)))
    first = largest_slices(mask, slices)
    areas = mask.sum(axis=(1, 2))
    assert 0 <= first <= len(mask) - slices
    assert areas[first : first + slices].max() == areas.max()
    largest = np.flatnonzero(areas == areas.max())
    middle = int(largest[len(largest) // 2])
    if slices // 2 <= middle <= len(mask) - slices + slices // 2:
        assert first + slices // 2 == middle


def test_more_slices_than_the_image_has_are_refused():
    """An image of two slices has no region of three, and says how many it has."""
    with pytest.raises(ContractError, match="has 2 slices, the region asks for 3"):
        largest_slices(np.ones((2, 4, 4), bool), 3)


def ramp(size=(20, 16, 8), spacing=(1.0, 1.5, 3.0), at=(0.0, 0.0, 0.0)):
    """Return an image whose intensity is 2x + 3y + 5z of the physical point, in mm."""
    image = sitk.Image(*size, sitk.sitkFloat32)
    image.SetSpacing(spacing)
    image.SetOrigin(at)
    z, y, x = np.indices(size[::-1])
    points = [index * mm + start for index, mm, start in zip((x, y, z), spacing, at, strict=True)]
    filled = sitk.GetImageFromArray((2 * points[0] + 3 * points[1] + 5 * points[2]).astype(np.float32))
    filled.CopyInformation(image)
    return filled


def box_mask(image, low, high):
    """Return a mask of the voxels from low to high (x, y, z; excluded)."""
    voxels = np.zeros(image.GetSize()[::-1], np.uint8)
    voxels[low[2] : high[2], low[1] : high[1], low[0] : high[0]] = 1
    mask = sitk.GetImageFromArray(voxels)
    mask.CopyInformation(image)
    return mask


def test_pixels_lie_where_the_square_says_in_both_axes():
    """On a ramp each pixel's value is that of its own point: square pixels, native slices, no half pixel lost."""
    image = ramp()
    phase = PhaseImage(image, box_mask(image, (8, 5, 3), (12, 8, 6)))
    asked = RegionSettings(size=8, slices=3, margin_mm=1.0, normalize="none", registration=UNREGISTERED)
    (region,) = cropped_regions([phase], asked)
    # 4 x 1 mm and 3 x 1.5 mm: the longer is 4.5 mm, and 1 mm at each end.
    assert region.box.side_mm == pytest.approx(6.5)
    assert region.box.first_slice == 3
    pixel = 6.5 / 8
    x = 9.5 * 1.0 + (np.arange(8) - 3.5) * pixel
    y = 6.0 * 1.5 + (np.arange(8) - 3.5) * pixel
    z = (3 + np.arange(3)) * 3.0
    expected = 2 * x[None, None, :] + 3 * y[None, :, None] + 5 * z[:, None, None]
    np.testing.assert_allclose(region.array, expected, rtol=1e-5)
    assert region.array.dtype == np.float32


def test_what_lies_outside_the_image_is_its_least_intensity():
    """A tumour in the corner is padded with the image's minimum, after normalisation too."""
    image = ramp()
    phase = PhaseImage(image, box_mask(image, (0, 0, 0), (3, 2, 1)))
    asked = RegionSettings(size=16, margin_mm=6.0, registration=UNREGISTERED)
    (region,) = cropped_regions([phase], asked)
    voxels = sitk.GetArrayFromImage(image)
    assert region.box.first_slice == 0
    assert region.array[:, 0, 0] == pytest.approx((voxels.min() - voxels.mean()) / voxels.std(), rel=1e-5)


def test_a_region_may_be_normalised_by_the_body():
    """Mean and deviation are those of the body's voxels; a mask outside it is refused."""
    voxels = np.full((8, 16, 20), 2, np.float32)
    voxels[:, 2:14, 3:17] = 100 + np.arange(14) * np.arange(12)[:, None] / 4
    image = sitk.GetImageFromArray(voxels)
    asked = RegionSettings(size=16, margin_mm=2.0, normalize="body", registration=UNREGISTERED)
    whole, body = (
        cropped_regions([PhaseImage(image, box_mask(image, (6, 5, 3), (10, 8, 6)))], settings)[0].array
        for settings in (asked.model_copy(update={"normalize": "none"}), asked)
    )
    inside = voxels[voxels > 50]
    np.testing.assert_allclose(body, (whole - inside.mean()) / inside.std(), rtol=1e-4, atol=1e-5)
    with pytest.raises(ContractError, match="too little air"):
        cropped_regions([PhaseImage(image, box_mask(image, (0, 0, 0), (2, 2, 2)))], asked)


def test_the_box_holds_the_masks_of_all_phases_and_is_one_for_all():
    """A mask that lies elsewhere in another phase widens the square of every phase."""
    image = ramp()
    here, there = box_mask(image, (4, 4, 3), (7, 6, 5)), box_mask(image, (12, 4, 3), (15, 6, 5))
    asked = RegionSettings(size=16, margin_mm=2.0, registration=UNREGISTERED)
    alone = cropped_regions([PhaseImage(image, here)], asked)[0]
    both = cropped_regions([PhaseImage(image, here), PhaseImage(image, there)], asked)
    assert alone.box.side_mm == pytest.approx(3.0 + 4.0)
    assert both[0].box.side_mm == pytest.approx(11.0 + 4.0)
    assert both[0].box == both[1].box
    left, right = (each.mask.any(axis=(0, 1)) for each in both)
    assert left[2:5].all()
    assert right[11:14].all()
    assert not (left & right).any()
    np.testing.assert_array_equal(both[0].array, both[1].array)


@settings(max_examples=10, deadline=None)
@given(size=st.integers(8, 40), margin=st.floats(0.0, 15.0), normalize=st.sampled_from(["image", "none"]))
def test_a_region_is_finite_has_its_shape_and_comes_out_the_same_again(size, margin, normalize):
    """Any size and margin gives numbers of the asked shape, the same bits twice, and none beyond the image's own."""
    image = ramp()
    phase = PhaseImage(image, box_mask(image, (1, 9, 5), (9, 16, 8)))
    asked = RegionSettings(size=size, margin_mm=margin, normalize=normalize, registration=UNREGISTERED)
    (one,), (again,) = (cropped_regions([phase], asked) for _ in range(2))
    assert one.array.shape == asked.shape
    assert one.array.tobytes() == again.array.tobytes()
    voxels = sitk.GetArrayFromImage(image).astype(np.float64)
    if normalize == "image":
        voxels = (voxels - voxels.mean()) / voxels.std()
    assert voxels.min() - 1e-4 <= one.array.min() <= one.array.max() <= voxels.max() + 1e-4


def test_phases_show_the_same_tissue_once_registered():
    """With the phantom's motion, edges in the phases' regions agree better after registration than before."""
    traits, seed = LesionTraits(diameter_mm=40.0), 6
    images = phantom_phases(traits, 3.0, seed)
    phases = [PhaseImage(images[phase], lesion_mask(traits, seed, phase)) for phase in PHASES]

    def agreement(method):
        asked = RegionSettings(size=64, registration=RegistrationSettings(method=method))
        fixed, *others = cropped_regions(phases, asked)
        # Relative to the true position: masks of one lesion, moved by what was found.
        truths = [true_transform(seed, phase) for phase in PHASES[1:]]
        middle = sitk.GetArrayFromImage(phases[0].mask).nonzero()
        point = phases[0].mask.TransformIndexToPhysicalPoint([int(np.median(at)) for at in middle[::-1]])
        found = [
            np.linalg.norm(np.subtract(each.registration.transform.TransformPoint(point), truth.TransformPoint(point)))
            for each, truth in zip(others, truths, strict=True)
        ]
        return found, [each.box.side_mm for each in (fixed, *others)]

    (before, wide), (after, narrow) = agreement("none"), agreement("simpleitk")
    assert max(after) < 0.5 < max(before)
    assert max(narrow) < max(wide)


REGIONS = "\n[define.crops.regions]\nsize = 16\nmargin_mm = 2\n"


@pytest.fixture
def region_study(small_study):
    """Return the small study, which asks for regions besides; two of its patients to be quick."""
    small_study.edit('["quick"]', '["crops"]')
    small_study.edit("bin_width = 25\n", "bin_width = 25\n" + REGIONS)
    return small_study


def refreshed(study):
    """Refresh without Prefect: rows are computed and staged here, then committed."""
    study.stage_every_set()
    (report,) = refresh(study.store, study.study_id, workers=1)
    return report


def test_regions_are_computed_once_and_read_back(region_study):
    """Every phase has a row; arrays come back in their shape; a second study under other names computes nothing."""
    region_study.ingest()
    assert counts(refreshed(region_study)) == (0, 8, 0, 0)
    assert counts(refresh(region_study.store, "small", workers=1)[0]) == (0, 0, 0, 8)
    snapshot = region_study.snapshot
    ids = region_ids(snapshot, "small", "crops@1")
    assert {patient: sorted(phases) for patient, phases in ids.items()} == {
        patient: ["AP", "DP"] for patient in region_study.patients
    }
    wanted = [ids["P3"]["DP"], ids["P1"]["AP"]]
    found = stored_regions(snapshot, "crops@1", wanted)
    assert list(found) == wanted
    assert all(array.shape == (3, 16, 16) and array.dtype == np.float32 for array in found.values())
    phases = [PhaseImage(region_study.image("P1", phase), region_study.mask("P1", phase)) for phase in ("AP", "DP")]
    masks = stored_region_masks(snapshot, "crops@1", wanted)
    direct, other_phase = cropped_regions(phases, RegionSettings(size=16, margin_mm=2.0))
    # 16-bit floats have 11 significant bits.
    np.testing.assert_allclose(found[wanted[1]], direct.array, rtol=2.0**-11, atol=1e-7)
    np.testing.assert_array_equal(masks[wanted[1]], direct.mask)
    assert other_phase.mask.any()

    other = region_study.another()
    other.edit('["quick"]', '["crops"]')
    other.edit("bin_width = 25\n", "bin_width = 25\n" + REGIONS)
    other.edit('table = "patients.csv"', 'table = "patients.csv"\nprefix = "B-"')
    other.ingest()
    assert counts(refresh(other.store, "second", workers=1)[0]) == (0, 8, 0, 0)
    assert region_ids(other.snapshot, "second", "crops@1")["B-P3"]["DP"] == wanted[0]


def test_another_image_of_the_exam_makes_all_its_regions_new(region_study):
    """A changed DP image gives AP another region too, and the old one is in no view and no study's ids any more."""
    region_study.ingest()
    refreshed(region_study)
    before = region_ids(region_study.snapshot, "small", "crops@1")
    region_study.write_image("P2", "DP", seed=3)
    region_study.ingest()
    region_study.stage_every_set()
    assert counts(refresh(region_study.store, "small", workers=1)[0]) == (0, 2, 0, 6)
    after = region_ids(region_study.snapshot, "small", "crops@1")
    assert {p: {f for f in before[p] if before[p][f] != after[p][f]} for p in before} == {
        "P1": set(),
        "P2": {"AP", "DP"},
        "P3": set(),
        "P4": set(),
    }
    rows = region_study.sql("select patient, phase, extraction_id from crops order by all")
    assert {(r["patient"], r["phase"]): r["extraction_id"] for r in rows} == {
        (patient, phase): identity for patient, phases in after.items() for phase, identity in phases.items()
    }
    (covered, _) = region_study.sql("from coverage where feature_set = 'crops@1' order by phase")
    assert (covered["masks"], covered["extractions"], covered["missing"]) == (4, 4, 0)


def test_a_lesion_without_one_of_its_phases_fails_with_the_reason(region_study):
    """Without a DP mask the AP region is a failure that names the phase; when the mask comes, both are computed."""
    mask = region_study.mask_file("P1", "DP").read_bytes()
    region_study.mask_file("P1", "DP").unlink()
    region_study.ingest()
    receipts = region_study.stage_every_set()
    assert {r.planned.key.phase: r.failure for r in receipts if r.failure} == {
        "AP": "the lesion has no image and mask of phase DP"
    }
    region_study.mask_file("P1", "DP").write_bytes(mask)
    region_study.ingest()
    assert counts(refreshed(region_study)) == (0, 8, 0, 0)


def test_sql_tells_how_regions_were_made_and_shows_no_long_list(region_study):
    """The set's view has quality and transform but no array; region_arrays has it; the dictionary stays as it was."""
    region_study.ingest()
    refreshed(region_study)
    rows = region_study.sql("from crops_v1 order by patient, phase")
    assert "region" not in rows[0]
    assert rows[0]["registration"] == "fixed"
    for row in rows:
        if row["phase"] == "AP":
            assert row["similarity_before"] is None
        elif row["registration"] == "applied":
            assert row["similarity_after"] > row["similarity_before"]
        else:
            assert row["similarity_after"] is None or row["similarity_after"] <= row["similarity_before"]
            assert row["shift_x_mm"] == row["rotation_z_degrees"] == 0.0
    (long,) = region_study.sql(
        "select len(region) n, region[1:3] r, extraction_id from region_arrays join regions using (extraction_id) "
        "where patient = 'P4' and phase = 'DP'"
    )
    assert long["n"] == 3 * 16 * 16
    array = stored_regions(region_study.snapshot, "crops@1", [long["extraction_id"]])[long["extraction_id"]]
    assert long["r"] == array.ravel()[:3].tolist()
    (described,) = region_study.sql("from feature_sets where feature_set = 'crops@1'")
    assert (described["kind"], described["features"], described["extractions"]) == ("regions", 768, 8)
    assert region_study.sql("select count(*) n from radiomics_long") == [{"n": 0}]


def test_verbs_and_pages_know_regions(region_study, capsys, tmp_path):
    """list, describe, coverage, the overview and an export tell of a set of regions as they do of features."""
    region_study.ingest()
    refreshed(region_study)
    for words in (("list",), ("describe", "crops"), ("coverage",)):
        assert exit_code(["--store", str(region_study.store_root), "features", *words]) == 0
    told = capsys.readouterr().out
    assert "regions" in told
    assert "margin_mm" in told
    page = write_overview(region_study.store, tmp_path / "overview").read_text(encoding="utf-8")
    assert "crops@1" in page
    folder = tmp_path / "export"
    assert exit_code(["--store", str(region_study.store_root), "store", "export", str(folder), "--format", "csv"]) == 0
    with (folder / "crops_v1.csv").open() as file:
        header, *rows = csv.reader(file)
    assert len(rows) == 8
    assert {"similarity_after", "side_mm"} <= set(header)


def test_regions_survive_compaction_and_verification_and_go_with_their_patient(region_study):
    """Two segments become one with equal arrays; verify finds nothing; an erased patient's arrays are in no file."""
    region_study.keep("P1", "P2")
    region_study.ingest()
    refreshed(region_study)
    region_study.write_image("P2", "AP", seed=5)
    region_study.ingest()
    refreshed(region_study)
    snapshot = region_study.snapshot
    ids = region_ids(snapshot, "small", "crops@1")
    every = [identity for phases in ids.values() for identity in phases.values()]
    before = stored_regions(snapshot, "crops@1", every)
    with record_run(region_study.store, "compact", None, {}) as run:
        done = compact_feature_set(region_study.store, "crops@1", run=run)
    assert (done.files_before, done.files_after, done.rows) == (2, 1, 6)
    after = stored_regions(region_study.snapshot, "crops@1", every)
    assert all(before[each].tobytes() == after[each].tobytes() for each in every)
    publish_snapshot(region_study.snapshot)
    assert not [c.name for c in store_verification(region_study.store).checks if c.findings]
    gone = ids["P2"]["AP"]
    erase_patient(region_study.store, "P2")
    assert list(region_ids(region_study.snapshot, "small", "crops@1")) == ["P1"]
    with pytest.raises(NotFoundError):
        stored_regions(region_study.snapshot, "crops@1", [gone])
    assert not [c.name for c in store_verification(region_study.store).checks if c.findings]
    names = [row["patient"] for row in region_study.sql("select distinct patient from regions")]
    assert names == ["P1"]


def test_a_set_of_features_is_no_set_of_regions(ready_study):
    """Asking for the regions of a radiomics set says what it is not, and where to look."""
    with pytest.raises(NotFoundError, match="'quick@1' is no feature set of regions"):
        region_ids(ready_study.snapshot, "small", "quick@1")


def test_the_definition_says_everything_that_decides_a_value(region_study):
    """Another margin or registration is another version; the paper's set asks for 256 x 256."""
    region_study.ingest()
    refreshed(region_study)
    (row,) = region_study.sql("select definition from feature_sets where feature_set = 'crops@1'")
    definition = json.loads(row["definition"])
    assert definition["settings"] == RegionSettings(size=16, margin_mm=2.0).model_dump(mode="json")
    assert set(definition["libraries"]) == {"SimpleITK"}
    region_study.edit("margin_mm = 2", "margin_mm = 3")
    region_study.ingest()
    reports = refresh(region_study.store, "small", dry_run=True)
    assert [(r.feature_set, r.computed) for r in reports] == [("crops@2", 8)]
    region_study.edit('["crops"]', '["hcc-regions@1"]')
    region_study.ingest()
    (report,) = refresh(region_study.store, "small", dry_run=True)
    assert (report.feature_set, report.features) == ("hcc-regions@1", 3 * 256 * 256)
