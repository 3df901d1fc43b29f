"""Checks of the catalogue's rows: format, commits, versions, references, identities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, and_, exists, func, inspect, literal, or_, select

from schemas.keys import MaskKey, extraction_id
from store.catalogue.migrations import FORMAT_VERSION
from store.catalogue.row_sums import SUMMED, stored_sums, sum_of
from store.catalogue.tables import KEYS, VERSIONED, commits, metadata, row_sums, runs, store_format
from store.verification.findings import REPAIR, RESTORE_CATALOGUE, Check, Finding

__all__ = ["catalogue_checks", "identity_checks", "unfinished_runs"]

Row = Mapping[str, Any]


class _Reference(NamedTuple):
    """Live rows of one table that name a live row of another."""

    table: str
    named: str
    columns: tuple[str, ...]
    where: tuple[str, str] | None = None
    """Only rows whose column has this value."""


_MASK = MaskKey._fields
_REFERENCES = (
    _Reference("study_patients", "studies", ("study",)),
    _Reference("study_patients", "patients", ("patient",)),
    _Reference("exams", "patients", ("patient",)),
    _Reference("scans", "exams", ("patient", "exam")),
    _Reference("acquisitions", "scans", ("patient", "exam", "phase")),
    _Reference("masks", "scans", ("patient", "exam", "phase")),
    _Reference("study_masks", "masks", _MASK),
    _Reference("mask_measures", "masks", _MASK),
    _Reference("labels", "study_patients", ("study", "patient")),
    _Reference("split_members", "splits", ("study", "split")),
    _Reference("split_members", "study_patients", ("study", "patient")),
    _Reference("findings", "study_patients", ("study", "patient")),
    _Reference("exclusions", "studies", ("study",)),
    _Reference("exclusions", "patients", ("patient",)),
    _Reference("expectations", "studies", ("study",)),
    _Reference("features", "feature_sets", ("feature_set",)),
    _Reference("extractions", "feature_sets", ("feature_set",)),
    _Reference("study_extractions", "extractions", ("feature_set", "extraction_id")),
    _Reference("models", "datasets", ("dataset_id",)),
    # The nested-cv suite names the version that a recipe has once it is trained, which it need not be.
    _Reference("predictions", "models", ("study", "model", "version"), where=("suite", "holdout")),
)


def catalogue_checks(connection: Connection) -> Iterator[Check]:
    """Yield the checks of what the catalogue says, without a look at any file."""
    yield _format(connection)
    if connection.dialect.name == "sqlite":
        yield _sqlite_file(connection)
    yield _commits(connection)
    yield _versions(connection)
    yield _keys(connection)
    yield _sums(connection)
    yield from (_reference(connection, each) for each in _REFERENCES)
    yield _exclusions(connection)
    yield _tags(connection)


def identity_checks(extractions: Sequence[Row], feature_sets: Sequence[Row], hashes: Mapping[str, str]) -> list[Check]:
    """Return the checks that ids are the hashes they promise to be.

    Parameters
    ----------
    extractions, feature_sets : sequence of mapping
        Rows of the catalogue, live or ended.
    hashes : mapping of str to str
        The SHA-256 of each definition's text.
    """
    definition_of = {row["feature_set"]: row["definition_sha256"] for row in feature_sets}
    wrong = [
        row
        for row in extractions
        if row["feature_set"] in definition_of
        and row["extraction_id"]
        != extraction_id(
            row["image_sha256"] or "",
            row["mask_sha256"] or "",
            definition_of[row["feature_set"]],
            row["context_sha256"] or "",
        )
    ]
    sets = sorted({row["feature_set"] for row in wrong})
    by_set = {name: sorted({row["extraction_id"] for row in wrong if row["feature_set"] == name}) for name in sets}
    bound: dict[str, set[str]] = {}
    for row in feature_sets:
        bound.setdefault(row["feature_set"], set()).add(row["definition_sha256"])
    definitions = [
        Finding(
            "the definition's text has another hash than the one that the rows are named by",
            f"feature_sets: {row['feature_set']}, commit {row['added_commit']}",
            RESTORE_CATALOGUE,
        )
        for row in feature_sets
        if hashes[row["definition"] or ""] != row["definition_sha256"]
    ]
    definitions += [
        Finding(f"bound to {len(digests)} definitions", f"feature_sets: {name}", RESTORE_CATALOGUE)
        for name, digests in sorted(bound.items())
        if len(digests) > 1
    ]
    return [
        Check.of(
            "definitions", "name@version is bound to one definition, and to its hash", len(feature_sets), definitions
        ),
        Check.of(
            "extraction ids",
            "extraction_id is sha256(image content + mask content + definition + context)",
            len(extractions),
            (
                Finding(
                    f"{len(ids)} extraction ids do not follow from image, mask and definition",
                    f"extractions: {name}",
                    RESTORE_CATALOGUE,
                    tuple(ids),
                )
                for name, ids in by_set.items()
            ),
        ),
    ]


def unfinished_runs(connection: Connection) -> list[Finding]:
    """Return the runs that have a start and no end."""
    rows = connection.execute(select(runs).where(runs.c.status == "running").order_by(runs.c.started_at)).mappings()
    return [
        Finding(
            f"{row['flow']} of {row['study'] or 'no study'} has not ended: it is running, or was killed",
            f"runs: {row['run_id']}, started {row['started_at']}",
            f"where it was killed, radzoo {row['flow']} goes on from what it had staged",
        )
        for row in rows
    ]


def _format(connection: Connection) -> Check:
    versions = sorted(connection.execute(select(store_format.c.version)).scalars())
    findings = []
    if versions != list(range(1, FORMAT_VERSION + 1)):
        findings.append(
            Finding(f"the format's steps are {versions}, not 1 to {FORMAT_VERSION}", "store_format", RESTORE_CATALOGUE)
        )
    there = inspect(connection)
    for table in metadata.sorted_tables:
        found = {column["name"] for column in there.get_columns(table.name)} if there.has_table(table.name) else set()
        if missing := [column.name for column in table.columns if column.name not in found]:
            findings.append(Finding(f"columns are missing: {', '.join(missing)}", table.name, RESTORE_CATALOGUE))
    return Check.of(
        "format", f"tables and columns of format {FORMAT_VERSION} are there", len(metadata.tables), findings
    )


def _sqlite_file(connection: Connection) -> Check:
    said = connection.exec_driver_sql("pragma integrity_check").scalars().all()
    findings = [Finding(line, "catalogue.sqlite", RESTORE_CATALOGUE) for line in said if line != "ok"]
    return Check.of("catalogue file", "SQLite finds its own file whole", 1, findings)


def _commits(connection: Connection) -> Check:
    ids = sorted(connection.execute(select(commits.c.commit_id)).scalars())
    lacking = sorted(set(range(1, max(ids, default=0) + 1)) - set(ids))
    what = f"{len(lacking)} commits are missing"
    findings = [Finding(what, "commits", RESTORE_CATALOGUE, tuple(map(str, lacking)))] if lacking else []
    return Check.of("commits", "ids count up from 1 without a gap", len(ids), findings)


def _versions(connection: Connection) -> Check:
    newest = connection.execute(select(func.max(commits.c.commit_id))).scalar() or 0
    findings, counted = [], 0
    for name, table in VERSIONED.items():
        added, removed = table.c.added_commit, table.c.removed_commit
        counted += connection.execute(select(func.count()).select_from(table)).scalar() or 0
        faults = {
            "end before or at the commit that added them": removed <= added,
            "name a commit that is not there": or_(
                ~exists().where(commits.c.commit_id == added),
                and_(removed.is_not(None), ~exists().where(commits.c.commit_id == removed)),
            ),
        }
        for what, fault in faults.items():
            rows = connection.execute(select(table.c.row_id, added, removed).where(fault)).all()
            if rows:
                spans = tuple(f"row {row_id}: {start} to {end or 'now'}" for row_id, start, end in rows)
                findings.append(Finding(f"{len(rows)} rows {what}", name, RESTORE_CATALOGUE, spans))
    return Check.of("row versions", f"added_commit < removed_commit <= {newest}, both in commits", counted, findings)


def _keys(connection: Connection) -> Check:
    findings, counted = [], 0
    for name, table in VERSIONED.items():
        keys = [table.c[key] for key in KEYS[name]]
        following = func.lead(table.c.added_commit).over(
            partition_by=keys, order_by=(table.c.added_commit, table.c.row_id)
        )
        spans = select(*keys, table.c.removed_commit, following.label("following")).subquery()
        ends = spans.c.removed_commit
        rows = connection.execute(
            select(*(spans.c[key] for key in KEYS[name])).where(
                spans.c.following.is_not(None), or_(ends.is_(None), ends > spans.c.following)
            )
        ).all()
        counted += 1
        if rows:
            what = f"{len(rows)} keys have two rows at one commit"
            findings.append(Finding(what, name, RESTORE_CATALOGUE, tuple(_named(KEYS[name], row) for row in rows)))
    return Check.of("keys", "at every commit a key has one row; tables", counted, findings)


def _sums(connection: Connection) -> Check:
    """Return the check that nothing but this program wrote into the tables."""
    findings: list[Finding] = []
    # Where tables or columns are missing, the format's check says so.
    there = inspect(connection)
    columns = {name: {column["name"] for column in there.get_columns(name)} for name in there.get_table_names()}
    left = stored_sums(connection) if row_sums.name in columns else {}
    left = {name: each for name, each in left.items() if set(SUMMED[name].columns.keys()) <= columns.get(name, set())}
    for name, expected in left.items():
        found = sum_of(connection, name)
        if found == expected:
            continue
        what = "rows are not those that were committed"
        if found.rows != expected.rows:
            what += f": there are {found.rows}, not {expected.rows}"
        findings.append(Finding(what, name, REPAIR))
    rows = sum(each.rows for each in left.values())
    return Check.of("sums", "each table's rows are those that were committed", rows, findings)


def _reference(connection: Connection, reference: _Reference) -> Check:
    table, named = VERSIONED[reference.table], VERSIONED[reference.named]
    conditions: list[ColumnElement[bool]] = [table.c.removed_commit.is_(None)]
    if reference.where is not None:
        column, value = reference.where
        conditions.append(table.c[column] == literal(value))
    live = and_(*conditions)
    counted = connection.execute(select(func.count()).select_from(table).where(live)).scalar() or 0
    rows = connection.execute(_dangling(table, named, reference.columns).where(live)).all()
    findings = [
        Finding(
            f"{len(rows)} rows name no live row of {reference.named}",
            reference.table,
            RESTORE_CATALOGUE,
            tuple(_named(KEYS[reference.table], row) for row in rows),
        )
    ]
    return Check.of(
        f"{reference.table} -> {reference.named}",
        f"every live row's {', '.join(reference.columns)} is there",
        counted,
        findings if rows else [],
    )


def _exclusions(connection: Connection) -> Check:
    """Return the check that nobody is both in a study and excluded from it."""
    table, members = VERSIONED["exclusions"], VERSIONED["study_patients"]
    live = table.c.removed_commit.is_(None)
    counted = connection.execute(select(func.count()).select_from(table).where(live)).scalar() or 0
    is_member = exists().where(
        members.c.removed_commit.is_(None), *(members.c[name] == table.c[name] for name in KEYS["exclusions"])
    )
    keys = [table.c[name] for name in KEYS["exclusions"]]
    rows = connection.execute(select(*keys).where(live, is_member).order_by(table.c.row_id)).all()
    named = tuple(_named(KEYS["exclusions"], row) for row in rows)
    what = f"{len(rows)} patients are in a study and excluded from it"
    findings = [Finding(what, "exclusions", RESTORE_CATALOGUE, named)] if rows else []
    return Check.of("exclusions", "who is excluded from a study is not in it", counted, findings)


def _tags(connection: Connection) -> Check:
    """Return the check that a tag names a commit."""
    table = VERSIONED["tags"]
    live = table.c.removed_commit.is_(None)
    counted = connection.execute(select(func.count()).select_from(table).where(live)).scalar() or 0
    is_there = exists().where(commits.c.commit_id == table.c.commit_id)
    rows = connection.execute(select(table.c.tag).where(live, ~is_there).order_by(table.c.row_id)).all()
    named = tuple(_named(KEYS["tags"], row) for row in rows)
    findings = [Finding(f"{len(rows)} tags name no commit", "tags", RESTORE_CATALOGUE, named)] if rows else []
    return Check.of("tags -> commits", "every tag's commit is there", counted, findings)


def _dangling(table: Table, named: Table, columns: Sequence[str]) -> Any:
    is_there = exists().where(
        named.c.removed_commit.is_(None), *(named.c[column] == table.c[column] for column in columns)
    )
    return select(*(table.c[key] for key in KEYS[table.name])).where(~is_there).order_by(table.c.row_id)


def _named(keys: Sequence[str], row: Sequence[Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in zip(keys, row, strict=True))
