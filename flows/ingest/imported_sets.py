"""Imported feature sets in the store: a version per definition, a row superseded per changed value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flows.privacy.places import table_file
from flows.refresh.kinds.described import described_feature
from flows.study.imported.tables import ImportedRows
from schemas.errors import ContractError
from schemas.keys import MaskKey, canonical_json
from store.commits.commit import Commit
from store.commits.writer import append_features
from store.dictionary.versions import version_of
from store.history.snapshot import Snapshot
from store.home import Store
from store.kinds.every import IMPORTED
from store.rows.segments import stored_keys

__all__ = ["ImportedReport", "put_imported", "remove_abandoned"]

Row = dict[str, Any]
_ELSEWHERE = "named as pyradiomics names it; computed, and perhaps rescaled, elsewhere"


@dataclass(frozen=True)
class ImportedReport:
    """What an ingest did with one imported table."""

    feature_set: str
    features: int
    phases: tuple[str, ...]
    added: int
    superseded: int
    removed: int
    unchanged: int
    left_out: tuple[str, ...]
    """Columns that nobody excluded and that are no features."""
    corrected_in: tuple[str, ...] = ()
    """Other studies that read the table, whose values were superseded too; rows that came or went wait for them."""


def put_imported(commit: Commit, store: Store, study: str, rows: ImportedRows) -> ImportedReport:
    """Write one imported feature set of a study to an open commit and return what changed.

    Columns, source and prefixes are the definition: where they change, the set gets its next version. Values are
    not: a row whose values changed takes the place of the one with its key.

    Parameters
    ----------
    commit : Commit
        The open commit, so that nobody else writes meanwhile.
    store : Store
        The store.
    study : str
        The study's id.
    rows : ImportedRows
        The table as it was read.

    Raises
    ------
    ContractError
        When the name is that of a computed feature set, or another study has other values from another file
        under the same keys.
    """
    before = Snapshot(store)
    feature_set, version = _bound(before, rows)
    live = {row["extraction_id"] for row in before.rows("extractions", feature_set=feature_set)}
    links: defaultdict[str, set[str]] = defaultdict(set)
    for row in before.rows("study_extractions", feature_set=feature_set):
        links[row["study"]].add(row["extraction_id"])
    own, wanted = links.pop(study, set()), {record.extraction_id: record for record in rows.records}
    key_of = stored_keys(before, feature_set) if live - wanted.keys() else {}
    rival = {key_of[each]: each for each in live - wanted.keys()}
    replaced = {rival[record.key]: identity for identity, record in wanted.items() if record.key in rival}
    _refuse_another_table(before, rows, replaced, links, key_of)

    commit.put("feature_sets", [_catalogue_row(feature_set, version, rows)])
    commit.put("features", _dictionary_rows(feature_set, rows), replacing={"feature_set": feature_set})
    append_features(commit, store, feature_set, rows.definition.columns, rows.records)
    _put_links(commit, study, feature_set, wanted)
    # Other studies that read the same file see the correction too.
    for other, linked in links.items():
        if linked & replaced.keys():
            _put_links(commit, other, feature_set, {replaced.get(each, each) for each in linked})
    kept = {replaced.get(each, each) for linked in links.values() for each in linked}
    ended = (own | replaced.keys()) - wanted.keys() - kept
    commit.remove("extractions", [{"feature_set": feature_set, "extraction_id": each} for each in ended])
    former = [row for row in before.rows("study_extractions", study=study) if row["feature_set"] != feature_set]
    commit.remove("study_extractions", [row for row in former if row["feature_set"].startswith(f"{rows.name}@")])
    return ImportedReport(
        feature_set=feature_set,
        features=len(rows.definition.columns),
        phases=rows.phases,
        added=len(wanted.keys() - own - set(replaced.values())),
        superseded=len(set(replaced.values())),
        removed=len(own - wanted.keys() - replaced.keys()),
        unchanged=len(wanted.keys() & own),
        left_out=tuple(each.column for each in rows.columns.left_out),
        corrected_in=tuple(sorted(other for other, linked in links.items() if linked & replaced.keys())),
    )


def remove_abandoned(commit: Commit, before: Snapshot, study: str, names: Iterable[str]) -> None:
    """End a study's links to imported sets that its file no longer names."""
    named = set(names)
    imported = {
        row["feature_set"] for row in before.rows("feature_sets", kind=IMPORTED.name) if row["name"] not in named
    }
    links = before.rows("study_extractions", study=study)
    commit.remove("study_extractions", [row for row in links if row["feature_set"] in imported])


def _bound(before: Snapshot, rows: ImportedRows) -> tuple[str, int]:
    versions = before.rows("feature_sets", name=rows.name)
    if any(row["kind"] != rows.definition.kind for row in versions):
        raise ContractError(
            f"this store has a computed feature set '{rows.name}'",
            where=str(rows.file),
            hint=f"give [imported.{rows.name}] another name; nothing was written",
        )
    version = version_of(rows.definition.sha256, versions)
    return f"{rows.name}@{version}", version


def _refuse_another_table(
    before: Snapshot,
    rows: ImportedRows,
    replaced: Mapping[str, str],
    links: Mapping[str, set[str]],
    key_of: Mapping[str, MaskKey],
) -> None:
    for other, linked in links.items():
        if not (clash := sorted(linked & replaced.keys())):
            continue
        # The same file with new content is a correction, which both studies see.
        if table_file(before, other, rows.name) != rows.file:
            key = key_of[clash[0]]
            raise ContractError(
                f"study '{other}' has other values of '{rows.name}' for patient '{key.patient}', phase {key.phase}",
                where=str(rows.file),
                hint='name this set otherwise, or set prefix = "..." under [cohort] where they are different people; '
                "nothing was written",
            )


def _put_links(commit: Commit, study: str, feature_set: str, identities: Iterable[str]) -> None:
    own = {"study": study, "feature_set": feature_set}
    commit.put("study_extractions", [own | {"extraction_id": each} for each in identities], replacing=own)


def _catalogue_row(feature_set: str, version: int, rows: ImportedRows) -> Row:
    return {
        "feature_set": feature_set,
        "name": rows.name,
        "version": version,
        "kind": rows.definition.kind,
        "features": len(rows.definition.columns),
        "description": rows.description,
        "definition": canonical_json(rows.definition.canonical()),
        "definition_sha256": rows.definition.sha256,
        "deviations": canonical_json({}),
    }


def _dictionary_rows(feature_set: str, rows: ImportedRows) -> list[Row]:
    """Return the rows of ``features``: what a pyradiomics name tells, and for other names the name alone."""
    found = []
    for position, column in enumerate(rows.definition.columns):
        known = described_feature(column)
        judged = {"deviation": _ELSEWHERE} if known.get("ibsi_id") else {}
        found.append({"feature_set": feature_set, "position": position} | known | judged)
    return found
