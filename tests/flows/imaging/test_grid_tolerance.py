"""geometry_tolerance: ingest takes the loosest of a study's feature sets, each extraction its own."""

import numpy as np
import pytest
import SimpleITK as sitk
from builders.batches import computed_batch

from flows.imaging.grid_tolerance import loosest_tolerance
from flows.imaging.grids import GEOMETRY_TOLERANCE, geometry_difference
from flows.refresh.feature_sets import bound_feature_sets
from flows.refresh.plan import refresh_plan
from flows.refresh.staged import staging_folder
from schemas.study.text import parsed_study
from store.history.studies import stored_study

STRICT = '[define.strict.radiomics]\nfamilies = ["firstorder"]\ngeometry_tolerance = 0.001\n'


def shifted(study, share):
    """Write P2's mask aside by a share of the first spacing, 1 mm."""
    mask = study.mask("P2")
    mask.SetOrigin((-6.0 + share, 4.0, 10.0))
    study.write_mask("P2", mask=mask)


def with_two_sets(study):
    """Let the study ask for a set that bears 5 % of a voxel and one that bears .1 %."""
    study.edit('feature_sets = ["quick"]', 'feature_sets = ["quick", "strict"]')
    study.edit("bin_width = 25\n", f"bin_width = 25\ngeometry_tolerance = 0.05\n\n{STRICT}")


def test_ingest_takes_the_loosest_and_each_set_its_own(small_study):
    """A mask that one set bears is ingested; the stricter set fails for it alone, naming difference and tolerance."""
    with_two_sets(small_study)
    shifted(small_study, 0.02)
    assert small_study.ingest().failures == ()
    failures = {}
    snapshot = small_study.snapshot
    for bound in bound_feature_sets(stored_study(snapshot, "small"), snapshot):
        plan, settings = refresh_plan(snapshot, "small", bound), bound.definition.settings
        receipts = computed_batch(plan.missing, settings, staging_folder(small_study.store, bound))
        assert len(receipts) == 8
        failures |= {(bound.name, each.planned.key.patient): each.failure for each in receipts if each.failure}
    assert failures == {
        ("strict", "P2"): "mask P2_AP.nii.gz: other geometry: origin in mm (-5.98, 4, 10) against the image's "
        "(-6, 4, 10); this feature set's tolerance is 0.001 (geometry_tolerance)"
    }


def test_a_mask_that_no_set_bears_fails_at_ingest(small_study):
    """Beyond the loosest tolerance the mask is a failure of ingest, which names that tolerance."""
    with_two_sets(small_study)
    shifted(small_study, 0.06)
    (failure,) = small_study.ingest().failures
    assert "the tolerance is 0.05 (geometry_tolerance)" in failure["reason"]


@pytest.mark.parametrize(
    ("feature_sets", "tolerance"),
    [('["quick"]', 1e-6), ('["hcc-cemri"]', 1e-6), ('["hcc-regions"]', GEOMETRY_TOLERANCE), ("[]", GEOMETRY_TOLERANCE)],
)
def test_a_set_without_the_setting_takes_the_default(small_study, feature_sets, tolerance):
    """Sets of regions, and studies that compute nothing, compare with a ten-thousandth of a voxel."""
    small_study.edit('["quick"]', feature_sets)
    assert loosest_tolerance(parsed_study(small_study.file.read_text(), "study.toml")) == tolerance


def test_what_float32_rounds_off_is_no_difference_at_any_tolerance():
    """Places that agree as float32 agree, however small the tolerance; a thousandth of a voxel does not."""
    image = sitk.GetImageFromArray(np.zeros((4, 5, 6), np.uint8))
    image.SetOrigin((-180.123456789, 40.987654321, -912.123456789))
    rounded, aside = sitk.Image(image), sitk.Image(image)
    rounded.SetOrigin([float(np.float32(each)) for each in image.GetOrigin()])
    aside.SetOrigin([each + 0.001 for each in image.GetOrigin()])
    assert geometry_difference(image, rounded, 1e-12) is None
    assert geometry_difference(image, aside, 1e-12) is not None
