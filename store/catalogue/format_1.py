"""The catalogue's tables as the first release wrote them: never changed, for old stores are read by it."""

from __future__ import annotations

from functools import cache

from sqlalchemy import Column, Integer, MetaData, Table, Text

from store.catalogue.tables import versioned

__all__ = ["format_1"]

_MASK = "patient exam phase lesion reader reading:int"

_TABLES = {
    "studies": ("study", "title question outcome definition definition_sha256 file"),
    "patients": ("patient", ""),
    "study_patients": ("study patient", ""),
    "exams": ("patient exam", "acquired_on"),
    "scans": ("patient exam phase", "modality image_sha256 voxels:int spacing_mm source source_stat"),
    "masks": (
        _MASK,
        "mask_label:int image_sha256 mask_sha256 lesion_voxels:int volume_mm3:real source source_stat",
    ),
    "study_masks": (f"study {_MASK}", "is_primary:int"),
    "clinical": ("patient variable observed_at", "value:real level unit recorded_at"),
    "variables": ("study variable", "kind unit low:real high:real description"),
    "outcomes": ("patient outcome", "event:int time:real time_unit"),
    "labels": ("study patient", "outcome label:int reason"),
    "feature_sets": (
        "feature_set",
        "name version:int kind features:int description definition definition_sha256 deviations",
    ),
    "features": (
        "feature_set position:int",
        "feature image_type family name ibsi_id ibsi_compliant:int deviation unit definition",
    ),
    "segments": ("segment_id", "feature_set path sha256 rows:int bytes:int"),
    "extractions": ("feature_set extraction_id", "image_sha256 mask_sha256 segment_id"),
    "study_extractions": ("study feature_set extraction_id", ""),
    "failures": (f"stage study {_MASK} feature_set feature", "reason"),
    "splits": ("study split", "kind sha256 patients:int"),
    "split_members": ("study split patient", "cohort"),
    "stability": ("study split feature_set phase feature kind", "patients:int icc:real lower:real upper:real"),
    "datasets": ("dataset_id", "study split inputs commit_id:int patients:int columns:int path sha256"),
    "models": (
        "study model version:int",
        "dataset_id training_sha256 threshold:real path sha256 trained_at versions summary",
    ),
    "predictions": ("study suite model patient cohort fold:int", "version:int probability:real label:int"),
    "leaderboard": (
        "study suite model cohort",
        "version:int n:int events:int auc:real auc_lo:real auc_hi:real auc_delong_lo:real auc_delong_hi:real "
        "threshold:real accuracy:real sensitivity:real specificity:real ppv:real npv:real brier:real "
        "calibration_slope:real calibration_intercept:real",
    ),
    "comparisons": ("study suite cohort model_a model_b kind", "statistic:real p:real p_holm:real"),
}


@cache
def format_1() -> MetaData:
    """Return the tables of format 1."""
    tables = MetaData()
    Table("store_format", tables, Column("version", Integer, primary_key=True))
    Table(
        "commits",
        tables,
        Column("commit_id", Integer, primary_key=True, autoincrement=False),
        Column("author", Text, nullable=False),
        Column("message", Text, nullable=False),
        Column("run_id", Text),
        Column("committed_at", Text, nullable=False),
    )
    Table(
        "runs",
        tables,
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
    for name, (key, content) in _TABLES.items():
        versioned(tables, name, key, content)
    return tables
