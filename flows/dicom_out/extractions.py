"""What the store has extracted of each mask of a study, with the dictionary's words for every feature."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from flows.dicom_out.report import Extracted, MeasuredFeature
from schemas.errors import NotFoundError
from schemas.plain_keys import MaskKey
from store.history.snapshot import Snapshot
from store.rows.reader import feature_table

__all__ = ["extractions_of"]

_RADIOMICS = "radiomics"


def extractions_of(
    snapshot: Snapshot, study: str, feature_sets: Sequence[str], masks: Collection[MaskKey]
) -> dict[MaskKey, list[Extracted]]:
    """Return the radiomics of masks, feature set by feature set; features without a value are left out.

    Parameters
    ----------
    snapshot : Snapshot
        The store as of a commit.
    study : str
        The study's id.
    feature_sets : sequence of str
        ``name@version``; all of the study that hold radiomics where empty.
    masks : collection of MaskKey
        Whose features are wanted.

    Raises
    ------
    NotFoundError
        When the study has no radiomics of a feature set that is asked for.
    """
    found: dict[MaskKey, list[Extracted]] = defaultdict(list)
    made = {row["commit_id"]: row["committed_at"] for row in snapshot.arrow("commits").to_pylist()}
    for each in _chosen_sets(snapshot, study, feature_sets):
        name = each["feature_set"]
        dictionary = sorted(snapshot.rows("features", feature_set=name), key=lambda row: row["position"])
        since = {
            row["extraction_id"]: made[row["added_commit"]] for row in snapshot.rows("extractions", feature_set=name)
        }
        for row in feature_table(snapshot, name, study=study).to_pylist():
            key = MaskKey.of(row)
            if key in masks:
                of_row = tuple(_measured(entry, row) for entry in dictionary if row[entry["feature"]] is not None)
                identity = row["extraction_id"]
                definition, digest = each["definition"], each["definition_sha256"]
                found[key].append(Extracted(name, identity, definition, digest, since[identity], of_row))
    return found


def _measured(entry: dict[str, Any], row: dict[str, Any]) -> MeasuredFeature:
    names = ("image_type", "family", "name", "ibsi_id", "deviation", "unit")
    return MeasuredFeature(**{name: entry[name] for name in names}, value=row[entry["feature"]])


def _chosen_sets(snapshot: Snapshot, study: str, asked: Sequence[str]) -> list[dict[str, Any]]:
    own = set(snapshot.column("study_extractions", "feature_set", study=study))
    rows = snapshot.rows("feature_sets", kind=_RADIOMICS)
    known = {row["feature_set"]: row for row in rows if row["feature_set"] in own}
    if unknown := sorted(set(asked) - set(known)):
        raise NotFoundError(
            f"study '{study}' has no radiomics of feature set '{unknown[0]}'",
            hint=f"--feature-set names one of {', '.join(sorted(known))}"
            if known
            else f"radzoo refresh --study {study} computes what is missing",
        )
    return [known[name] for name in asked or sorted(known)]
