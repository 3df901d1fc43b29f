"""A mask's key and names in SQL: the part of `schemas.keys` for which pydantic need not be loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

__all__ = ["NO_READER", "RESERVED_VIEWS", "Combination", "MaskKey", "sql_name"]

NO_READER = "table"
"""Stands for the reader of an imported table's rows, where the table names none."""

RESERVED_VIEWS = frozenset(
    [
        "acquisitions",
        "agreement",
        "attention",
        "changed_inputs",
        "clinical",
        "clinical_at_reference",
        "clinical_variables",
        "cohort",
        "commit_changes",
        "commits",
        "comparisons",
        "controls",
        "coverage",
        "datasets",
        "dictionary",
        "duplicates",
        "effects",
        "embeddings",
        "erasures",
        "event_rates",
        "exams",
        "exclusions",
        "expectations",
        "failures",
        "feature_sets",
        "features",
        "findings",
        "flow",
        "importances",
        "labels",
        "leaderboard",
        "lineage",
        "masks",
        "models",
        "openings",
        "optimism",
        "patients",
        "performance",
        "predictions",
        "quality",
        "radiomics_long",
        "radiomics_primary",
        "region_arrays",
        "regions",
        "runs",
        "scans",
        "selection_frequency",
        "splits",
        "stability",
        "studies",
        "study_masks",
        "subgroups",
        "table_one",
        "tags",
        "weighted_performance",
    ]
)
"""The fixed views of the store, whose names no feature set's own view may take."""


Combination = Literal["none", "mean", "volume-weighted"]
"""How the rows that a model reads of one patient and phase become one; none where there is one."""


class MaskKey(NamedTuple):
    """The key of one mask: one lesion on one scan, by one reader, one reading."""

    patient: str
    exam: str
    phase: str
    lesion: str
    reader: str
    reading: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> MaskKey:
        """Return the key of a row that has the key's columns, among others."""
        return cls(*(row[name] for name in cls._fields))

    def __str__(self) -> str:
        return f"{self.patient}/{self.exam}/{self.phase}/{self.lesion}/{self.reader}.{self.reading}"


def sql_name(name: str) -> str:
    """Return a name as SQL spells it without quotes: ``hcc-cemri@1`` -> ``hcc_cemri_v1``."""
    return name.replace("@", "_v").replace("-", "_").lower()
