"""The catalogue's tables: what exists, where it lies, since which commit.

Every table but ``commits``, ``runs``, ``erasures``, ``row_sums`` and ``store_format`` is versioned: a row lives from
``added_commit`` until the commit before ``removed_commit``, and is never changed, only superseded.
The tables are SQLAlchemy Core, so that SQLite and PostgreSQL share one code.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, Table, Text

__all__ = [
    "KEYS",
    "UNVERSIONED",
    "VERSIONED",
    "columns_of",
    "commits",
    "erasures",
    "metadata",
    "row_sums",
    "runs",
    "store_format",
    "versioned",
    "versioned_table",
]

metadata = MetaData()

store_format = Table("store_format", metadata, Column("version", Integer, primary_key=True))

commits = Table(
    "commits",
    metadata,
    Column("commit_id", Integer, primary_key=True, autoincrement=False),
    Column("author", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("run_id", Text),
    Column("committed_at", Text, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("flow", Text, nullable=False),
    Column("study", Text),
    Column("started_at", Text, nullable=False),
    Column("ended_at", Text),
    Column("status", Text, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("summary", Text),
    Column("versions", Text, nullable=False),
)

erasures = Table(
    "erasures",
    metadata,
    Column("erasure_id", Text, primary_key=True),
    Column("author", Text, nullable=False),
    Column("erased_at", Text, nullable=False),
    Column("receipt", Text, nullable=False),
)

row_sums = Table(
    "row_sums",
    metadata,
    Column("table_name", Text, primary_key=True),
    Column("rows", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
)

KEYS: dict[str, tuple[str, ...]] = {}
"""The columns that name a row among the live ones of each versioned table."""

UNVERSIONED: dict[str, Table] = {"commits": commits, "runs": runs, "erasures": erasures}
"""What happened, and is never superseded."""

VERSIONED: dict[str, Table] = {}

_TYPES = {"text": Text, "int": BigInteger, "real": Float}


def columns_of(text: str) -> list[Column[Any]]:
    """Return the columns that a list of ``column:type`` declares; text where no type is given."""
    parts = [part.partition(":") for part in text.split()]
    return [Column(name, _TYPES[kind or "text"]) for name, _, kind in parts]


def versioned(target: MetaData, name: str, key: str, content: str = "") -> Table:
    """Return a versioned table from the lists of its key columns and of its other columns.

    Parameters
    ----------
    target : MetaData
        Where it is declared.
    name : str
        The table's name, a plural.
    key, content : str
        Columns as `columns_of` reads them; ``key`` names a row among the live ones.
    """
    keys = columns_of(key)
    table = Table(
        name,
        target,
        Column("row_id", Integer, primary_key=True, autoincrement=True),
        *keys,
        *columns_of(content),
        Column("added_commit", Integer, nullable=False),
        Column("removed_commit", Integer),
    )
    Index(f"ix_{name}_key", *keys, table.c.removed_commit)
    return table


def _versioned(name: str, key: str, content: str = "") -> None:
    VERSIONED[name] = versioned(metadata, name, key, content)
    KEYS[name] = tuple(column.name for column in columns_of(key))


_MASK = "patient exam phase lesion reader reading:int"

_versioned("studies", "study", "title question outcome definition definition_sha256 file")
_versioned("patients", "patient")
_versioned("study_patients", "study patient")
_versioned("exams", "patient exam", "acquired_on")
_versioned("scans", "patient exam phase", "modality image_sha256 voxels:int spacing_mm source source_stat")
_versioned(
    "masks",
    _MASK,
    "mask_label:int image_sha256 mask_sha256 lesion_voxels:int volume_mm3:real source source_stat",
)
_versioned("study_masks", f"study {_MASK}", "is_primary:int")
_versioned("clinical", "patient variable observed_at", "value:real level unit recorded_at")
_versioned(
    "variables",
    "study variable",
    "kind unit low:real high:real description window_first:int window_last:int",
)
_versioned("outcomes", "patient outcome", "event:int time:real time_unit")
_versioned("labels", "study patient", "outcome label:int reason")
_versioned(
    "feature_sets",
    "feature_set",
    "name version:int kind features:int description definition definition_sha256 deviations",
)
_versioned(
    "features",
    "feature_set position:int",
    "feature image_type family name ibsi_id ibsi_compliant:int deviation unit definition",
)
_versioned("segments", "segment_id", "feature_set path sha256 rows:int bytes:int")
_versioned("extractions", "feature_set extraction_id", "image_sha256 mask_sha256 segment_id context_sha256")
# Masks and extractions are joined by content, from either side.
_CONTENT = ("image_sha256", "mask_sha256")
Index("ix_masks_content", *(VERSIONED["masks"].c[name] for name in _CONTENT))
Index("ix_extractions_content", *(VERSIONED["extractions"].c[name] for name in (*_CONTENT, "feature_set")))
_versioned("study_extractions", "study feature_set extraction_id")
_versioned(
    "failures",
    f"stage study {_MASK} feature_set feature",
    "reason",
)
_versioned("splits", "study split", "kind sha256 patients:int")
_versioned("split_members", "study split patient", "cohort")
_versioned("stability", "study split feature_set phase feature kind", "patients:int icc:real lower:real upper:real")
_versioned(
    "datasets",
    "dataset_id",
    "study split inputs commit_id:int patients:int columns:int path sha256 feature_set sql sql_gives versions",
)
_versioned(
    "models",
    "study model version:int",
    "dataset_id training_sha256 threshold:real path sha256 trained_at versions summary mark",
)
_versioned(
    "predictions",
    "study suite model patient cohort fold:int",
    "version:int repeat:int threshold:real probability:real label:int",
)
_versioned(
    "leaderboard",
    "study suite model cohort",
    "version:int n:int events:int auc:real auc_lo:real auc_hi:real auc_delong_lo:real auc_delong_hi:real "
    "threshold:real accuracy:real sensitivity:real specificity:real ppv:real npv:real brier:real "
    "calibration_slope:real calibration_intercept:real",
)
_versioned(
    "comparisons",
    "study suite cohort model_a model_b kind",
    "statistic:real p:real p_holm:real",
)
_versioned("openings", "study split cohort model version:int", "suite run_id opened_at author")
_versioned(
    "controls", "study suite control model cohort", "repeats:int n:int events:int auc:real auc_lo:real auc_hi:real"
)
_versioned("selection_frequency", "study suite model feature", "folds:int selected:int")
_versioned("importances", "study model version:int kind feature", "value:real lower:real upper:real")
_versioned("subgroups", "study suite model cohort variable level", "n:int events:int auc:real auc_lo:real auc_hi:real")
_versioned(
    "characteristics",
    "study split cohort variable level",
    "position:int kind unit known_events:int known_others:int missing_events:int missing_others:int "
    "count_events:int count_others:int mean_events:real sd_events:real median_events:real q1_events:real "
    "q3_events:real mean_others:real sd_others:real median_others:real q1_others:real q3_others:real "
    "test p:real other_test other_p:real",
)
_versioned("reference_dates", "study patient", "reference_on")
_versioned(
    "attention",
    "study model version:int patient phase",
    "feature_set extraction_id cohort label:int probability:real energy_inside:real energy_margin:real "
    "area_inside:real area_margin:real margin_mm:real insertion_auc:real deletion_auc:real map",
)
_versioned(
    "acquisitions",
    "patient exam phase",
    "manufacturer scanner_model field_strength_t:real repetition_time_ms:real echo_time_ms:real "
    "inversion_time_ms:real flip_angle_deg:real slice_thickness_mm:real kvp:real exposure_mas:real kernel "
    "seconds_after_contrast:real",
)
_versioned(
    "mask_measures",
    _MASK,
    "components:int largest_component:int border_voxels:int slices:int diameter_mm:real "
    "distinct_values:int lowest:real highest:real",
)
_versioned("findings", "study patient variable reader", "value:real level unit")
_versioned("exclusions", "study patient", "position:int criterion")
_versioned("tags", "tag", "commit_id:int description author tagged_at")
_versioned("descriptions", "kind name", "owner tags description")
_versioned("expectations", "study expectation", "policy status rows:int detail definition")


def versioned_table(name: str) -> Table:
    """Return the versioned table of this name."""
    return VERSIONED[name]
