"""A model whose folder is gone is fitted again, and put back where it is the same byte for byte."""

import shutil

from flows.keep.verification import repair_store, verified_store
from zoo.saving.persist import folder_sha256


def test_a_lost_model_is_fitted_again_and_is_the_same(cohort_of_90):
    """Verify misses it, the repair puts the same bytes back, and nothing else is left of the training."""
    store = cohort_of_90.store
    cohort_of_90.put_study()
    row = cohort_of_90.train("radiomics_lr")
    folder = store.root / row["path"]
    shutil.rmtree(folder)
    (broken,) = [check for check in verified_store(store).checks if check.name == "models"]
    assert [finding.what for finding in broken.findings] == ["the folder is missing"]
    (repair,) = repair_store(store)
    assert (repair.is_repaired, repair.what) == (True, "trained again, byte for byte")
    assert folder_sha256({file.name: file.read_bytes() for file in folder.iterdir()}) == row["sha256"]
    assert [each.name for each in folder.parent.iterdir()] == [folder.name]
