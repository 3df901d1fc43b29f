"""A study's masks with the scans they lie on: what an extraction of each reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import ColumnElement, Table, and_, case, select

from schemas.errors import ContractError
from schemas.plain_keys import MaskKey
from store.catalogue.tables import versioned_table
from store.history.questions import rows_of
from store.history.snapshot import Snapshot

__all__ = ["StudyMask", "study_masks"]


class StudyMask(NamedTuple):
    """A mask of a study and the scan it lies on."""

    key: MaskKey
    is_primary: bool
    """Whether the study's models read it: it is no repeated reading."""
    image_source: str
    mask_source: str
    mask_label: int
    image_sha256: str
    mask_sha256: str
    volume_mm3: float
    since: int
    """The commit since which both are as they are."""


def study_masks(snapshot: Snapshot, study: str) -> list[StudyMask]:
    """Return a study's masks in the order in which they were written.

    One question, which finds each mask and scan by its key.

    Parameters
    ----------
    snapshot : Snapshot
        The store as of a commit.
    study : str
        The study's id.

    Raises
    ------
    ContractError
        When the catalogue lacks a mask or a scan that the study names.
    """
    own, masks, scans = (versioned_table(name) for name in ("study_masks", "masks", "scans"))
    key = [own.c[name] for name in MaskKey._fields]
    # A restored image has a new scan row and leaves its mask's row as it was.
    since = case((scans.c.added_commit > masks.c.added_commit, scans.c.added_commit), else_=masks.c.added_commit)
    content = (masks.c[name] for name in ("source", "mask_label", "image_sha256", "mask_sha256", "volume_mm3"))
    query = (
        select(*key, own.c.is_primary, scans.c.source, *content, since)
        .join_from(own, masks, and_(*_same(own, masks, MaskKey._fields), snapshot.is_live(masks)), isouter=True)
        .join(scans, and_(*_same(own, scans, ("patient", "exam", "phase")), snapshot.is_live(scans)), isouter=True)
        .where(own.c.study == study, snapshot.is_live(own))
        .order_by(own.c.row_id)
    )
    width = len(key)
    rows = rows_of(snapshot, query, "study_masks", "masks", "scans")
    found = [StudyMask(MaskKey(*row[:width]), bool(row[width]), *row[width + 1 :]) for row in rows]
    for each in found:
        if each.image_source is None or each.mask_source is None:
            raise ContractError(
                f"study '{study}' has a mask of patient {each.key.patient} without its files on record",
                where=str(snapshot.store.root),
                hint="radzoo store verify lists what is missing",
            )
    return found


def _same(own: Table, other: Table, names: Iterable[str]) -> list[ColumnElement[bool]]:
    return [own.c[name] == other.c[name] for name in names]
