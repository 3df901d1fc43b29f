"""What the models learned, the cohort, the features and the provenance: the report's tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from flows.pages.questions import Answer, Questions
from flows.pages.words import EN_DASH, compact, percent, readable_name, readable_unit, readable_variable
from flows.report.attention import AttentionPart, attention_part
from schemas.features.grey_levels import FEWEST_LEVELS
from store.kinds.every import RADIOMICS, kind_of
from zoo.logistic.sample_size import needed_patients
from zoo.models.words import censoring_words

__all__ = ["ClinicalTable", "FeatureSetPart", "ModelPart", "clinical_table", "feature_sets", "model_parts"]

Row = dict[str, Any]


@dataclass(frozen=True)
class ModelPart:
    """What one model learned; answers that its kind does not have are None."""

    row: Row
    factors: Answer | None = None
    features: Answer | None = None
    selection: Answer | None = None
    summary: Answer | None = None
    training: tuple[int, int] | None = None
    """Training patients, and those with label 1 among them."""
    attention: AttentionPart | None = None

    @property
    def weighed(self) -> list[str]:
        """How it was weighed for patients who were censored before the horizon, in words; empty where it was not."""
        return censoring_words(json.loads(self.row["censoring"])) if self.row["censoring"] else []

    @property
    def candidates(self) -> int:
        """How many columns the model chose from."""
        if self.selection and self.row["inputs"]:
            # Agreement of readings, by which some went before, knows nothing of the outcome: no choice that is luck.
            return int(self.row["inputs"])
        return len(self.factors.rows) if self.factors else 0

    @property
    def smaller_class(self) -> int | None:
        """Training patients of the rarer label, the information there was to learn from."""
        return min(self.training[1], self.training[0] - self.training[1]) if self.training else None

    @property
    def needed(self) -> int | None:
        """Patients that Riley's criteria ask for, where 15 % of what can be explained is."""
        if not self.training or not self.smaller_class or not self.candidates:
            return None
        return needed_patients(self.candidates, self.training[1] / self.training[0]).patients


def model_parts(models: Answer, questions: Questions, leaderboard: Sequence[Row]) -> list[ModelPart]:
    """Return what each model learned, in the order of the leaderboard.

    Parameters
    ----------
    models : Answer
        To the question ``models``.
    questions : Questions
        Asks for the rest.
    leaderboard : sequence of dict
        The suites' rows, those of the first one first; empty where no model was judged.
    """
    order = list(dict.fromkeys(row["model"] for row in leaderboard))
    training = {row["model"]: (row["n"], row["events"]) for row in leaderboard if row["cohort"] == "training"}
    ranked = sorted(
        models.rows,
        key=lambda row: (order.index(row["model"]) if row["model"] in order else len(order), row["model"]),
    )
    return [
        replace(
            _model_part(questions, row),
            training=training.get(row["model"]),
            attention=attention_part(questions, row),
        )
        for row in ranked
    ]


def _model_part(questions: Questions, row: Row) -> ModelPart:
    of_model = {"model": row["model"], "version": row["version"]}
    keys = set(row["summary_keys"] or ())
    if not keys & {"univariable", "features"}:
        return ModelPart(row, summary=questions.ask("summary", **of_model))
    return ModelPart(
        row,
        factors=questions.ask("factors", **of_model) if "univariable" in keys else None,
        features=questions.ask("selected_features", feature_set=row["feature_set"] or "", **of_model)
        if "features" in keys
        else None,
        selection=questions.ask("selection", **of_model) if "columns_after" in keys else None,
    )


@dataclass(frozen=True)
class ClinicalLine:
    """One line of the clinical table: a variable, or one of its levels."""

    position: int
    name: str
    unit: str
    description: str
    level: str | None
    cells: list[str]


@dataclass(frozen=True)
class ClinicalTable:
    """Clinical variables by cohort and label."""

    answer: Answer
    groups: Answer
    headings: list[tuple[str, list[tuple[str, int]]]]
    """Cohorts, each with its labels and their patients."""
    lines: list[ClinicalLine] = field(default_factory=list)


def clinical_table(questions: Questions, split: str | None) -> ClinicalTable:
    """Return the clinical variables as a paper's first table shows them.

    Numbers become median and quartiles, categories counts and shares of the patients with a value.

    Parameters
    ----------
    questions : Questions
        Asks the store.
    split : str or None
        The split whose cohorts are told apart; None shows all patients together.
    """
    groups = questions.ask("groups", split=split)
    answer = questions.ask("clinical", split=split)
    columns = [(row["cohort"], row["label"]) for row in groups.rows]
    headings = [
        (
            readable_name(cohort) if cohort else ("all patients" if split is None else "in no cohort"),
            [("no label" if r["label"] is None else f"label {r['label']}", r["patients"]) for r in rows],
        )
        for cohort, rows in ((c, list(r)) for c, r in groupby(groups.rows, key=lambda row: row["cohort"]))
    ]
    lines: list[ClinicalLine] = []
    for _, found in groupby(answer.rows, key=lambda row: row["position"]):
        lines += _lines_of(list(found), columns)
    return ClinicalTable(answer, groups, headings, lines)


def _lines_of(rows: Sequence[Row], columns: Sequence[tuple[str | None, int | None]]) -> list[ClinicalLine]:
    first = rows[0]
    head = (
        first["position"],
        readable_variable(first["variable"], first["unit"]),
        readable_unit(first["unit"]),
        first["description"] or "",
    )
    by_level: dict[str | None, dict[tuple[str | None, int | None], Row]] = {}
    for row in rows:
        by_level.setdefault(row["level"], {})[row["cohort"], row["label"]] = row
    absent = by_level.pop(None, {})
    if any(row["known"] for row in absent.values()):
        return [ClinicalLine(*head, None, [_quartiles(absent.get(column)) for column in columns])]
    known = {column: sum(of.get(column, {"patients": 0})["patients"] for of in by_level.values()) for column in columns}
    lines = [
        ClinicalLine(*head, level, [_share(of[c]["patients"] if c in of else 0, known[c]) for c in columns])
        for level, of in by_level.items()
    ]
    if absent:
        lines.append(
            ClinicalLine(*head, "missing", [str(absent[c]["patients"]) if c in absent else "0" for c in columns])
        )
    return lines


def _quartiles(row: Row | None) -> str:
    if row is None or not row["known"]:
        return EN_DASH
    missing = row["patients"] - row["known"]
    text = f"{compact(row['median'])} ({compact(row['q1'])}{EN_DASH}{compact(row['q3'])})"
    return f"{text} [{missing} missing]" if missing else text


def _share(patients: int, of: int) -> str:
    return f"{patients} ({percent(patients, of)})" if of else EN_DASH


@dataclass(frozen=True)
class FeatureSetPart:
    """One feature set as the study has it."""

    row: Row
    definition: Answer
    deviations: Answer
    families: Answer
    coverage: Answer
    stability: Answer
    grey_levels: Answer | None

    @property
    def missing(self) -> int:
        """Masks of the study without an extraction."""
        return sum(row["masks"] - row["extractions"] for row in self.coverage.rows)

    @property
    def few_levels(self) -> list[Row]:
        """Image types in which half of the masks, or any mask, has too few grey levels."""
        return [row for row in self.grey_levels.rows if row["fewest"] < FEWEST_LEVELS] if self.grey_levels else []

    @property
    def zeros(self) -> list[Row]:
        """Image types in which a mask has more than 1 % of voxels that are zero but for rounding."""
        return [row for row in self.grey_levels.rows if row["masks_with_zeros"]] if self.grey_levels else []


def feature_sets(sets: Answer, questions: Questions, split: str | None) -> list[FeatureSetPart]:
    """Return the radiomics feature sets that hold at least one extraction of the study's masks.

    Parameters
    ----------
    sets : Answer
        To the question ``feature_sets``.
    questions : Questions
        Asks for the rest.
    split : str or None
        The split whose training patients tell how well repeated readings agree.
    """
    parts = []
    for row in sets.rows:
        # Only these have a wide view to ask, and one without rows has no grey levels.
        if kind_of(row) is not RADIOMICS or not row["extractions"]:
            continue
        name = row["feature_set"]
        coverage = questions.ask("coverage", feature_set=name)
        if not any(each["extractions"] for each in coverage.rows):
            continue
        parts.append(
            FeatureSetPart(
                row=row,
                definition=questions.ask("definition", feature_set=name),
                deviations=questions.ask("deviations", feature_set=name),
                families=questions.ask("families", feature_set=name),
                coverage=coverage,
                stability=questions.ask("stability", feature_set=name, split=split),
                grey_levels=questions.ask("grey_levels", feature_set=name),
            )
        )
    return parts
