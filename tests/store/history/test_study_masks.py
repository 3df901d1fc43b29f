"""Tests of a study's masks with the scans they lie on."""

from pathlib import Path

import pytest

from schemas.errors import ContractError
from schemas.keys import MaskKey
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.history.study_masks import StudyMask, study_masks
from store.home import Store

KEY = MaskKey("P1", "baseline", "AP", "1", "R1", 1)
SCAN = {"patient": "P1", "exam": "baseline", "phase": "AP", "image_sha256": "i", "source": "image.nii"}
MASK = KEY._asdict() | {
    "mask_label": 2,
    "image_sha256": "i",
    "mask_sha256": "m",
    "volume_mm3": 8.0,
    "source": "mask.nii",
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store with two studies: both have the first reading, one has a repeated one too."""
    made = Store(tmp_path / "store", create=True)
    again = {"reading": 2}
    with commit_to(made, "two studies") as commit:
        commit.put("scans", [SCAN])
        commit.put("masks", [MASK, MASK | again | {"mask_sha256": "n"}])
        own = [{"study": name, "is_primary": 1} | KEY._asdict() for name in ("one", "other")]
        commit.put("study_masks", [*own, own[0] | again | {"is_primary": 0}])
    return made


def test_a_study_has_its_own_masks_with_their_scans(store: Store) -> None:
    """Each mask comes with its files, contents and label, and whether models read it; another study's do not come."""
    first = StudyMask(KEY, True, "image.nii", "mask.nii", 2, "i", "m", 8.0, 1)
    assert study_masks(Snapshot(store), "one") == [
        first,
        first._replace(key=KEY._replace(reading=2), is_primary=False, mask_sha256="n"),
    ]
    assert study_masks(Snapshot(store), "other") == [first]
    assert study_masks(Snapshot(store, 0), "one") == []


def test_masks_are_as_old_as_the_newer_of_their_files(store: Store) -> None:
    """A scan or a mask that is written again makes its masks newer; an old snapshot still has them as they were."""
    with commit_to(store, "another image file") as commit:
        commit.put("scans", [SCAN | {"source": "restored.nii"}])
    with commit_to(store, "another mask file") as commit:
        commit.put("masks", [MASK | {"source": "redrawn.nii"}])
    now = {each.key.reading: (each.since, each.image_source) for each in study_masks(Snapshot(store), "one")}
    assert now == {1: (3, "restored.nii"), 2: (2, "restored.nii")}
    assert [each.image_source for each in study_masks(Snapshot(store, 1), "other")] == ["image.nii"]


@pytest.mark.parametrize(("table", "row"), [("scans", SCAN), ("masks", MASK)])
def test_a_mask_without_its_files_is_refused(store: Store, table: str, row: dict[str, object]) -> None:
    """A study whose mask or scan the catalogue lacks is refused with the verb that lists what is missing."""
    with commit_to(store, "lose a row") as commit:
        commit.remove(table, [row])
    with pytest.raises(ContractError, match="a mask of patient P1 without its files on record") as refused:
        study_masks(Snapshot(store), "other")
    assert "radzoo store verify" in str(refused.value.hint)
