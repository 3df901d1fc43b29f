"""What stands beside a saved model, typed: its record of what it reads, and the manifest of one that was exported."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from schemas.keys import Name, sha256_of_json
from schemas.plain_keys import Combination
from schemas.study.models import FactorRule, Missing, MissingPhases

__all__ = [
    "MODEL_MANIFEST_FORMAT",
    "ModelManifest",
    "ModelRecord",
    "RecordedInputs",
    "RecordedPackage",
    "RecordedSet",
    "RecordedVariable",
    "record_faults",
]

MODEL_MANIFEST_FORMAT = 2
"""1 had no hash of its own: whoever took a mark out of it was not noticed."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")]
"""One line of text, without what moves a cursor."""
Column = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Real = Annotated[float, Field(allow_inf_nan=False)]
Unit = Annotated[str, StringConstraints(max_length=60, pattern=r"^[!-~]+$")]

_LONG_NUMBER = re.compile(r"[0-9]{4}")


class _Recorded(BaseModel):
    """What this release does not know may stand beside what it reads; of what it reads, types are not converted."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class RecordedVariable(_Recorded):
    """A clinical variable as the model's study declared it."""

    kind: Literal["number", "category"]
    unit: Unit | None = None
    levels: tuple[Text, ...] | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.unit is None) != (self.kind == "category") or (self.levels is None) != (self.kind == "number"):
            raise ValueError("a number has a unit, a category has levels")
        # A power of ten with so many digits takes minutes to write out.
        if self.unit is not None and _LONG_NUMBER.search(self.unit):
            raise ValueError(f"'{self.unit}' is no unit")
        return self


class RecordedSet(_Recorded):
    """A feature set by its name where the model was trained, and by its definition."""

    feature_set: Text
    definition_sha256: Sha256


class RecordedPackage(_Recorded):
    """The package of somebody else's that adds the model's member."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", max_length=120)]
    version: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.!+_-]*$", max_length=60)]
    member: Name


class Reference(_Recorded):
    """Mean and standard deviation of a column among the training patients."""

    mean: Real
    deviation: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class RecordedInputs(_Recorded):
    """What the model reads, as its dataset was pinned."""

    phases: tuple[Name, ...] = ()
    factors: tuple[FactorRule, ...] = ()
    comparator: Name | None = None
    variables: dict[Name, Name] = Field(default_factory=dict)
    words: dict[Name, dict[str, str]] = Field(default_factory=dict)
    # Datasets that were pinned before there was harmonisation do not speak of it.
    harmonise: Name | None = None
    missing: Missing = "exclude"
    missing_phases: MissingPhases = "exclude"
    combination: Combination = "none"
    case_rule: Annotated[str, Field(max_length=100)] = "one"


class ModelRecord(_Recorded):
    """The ``metadata`` of a model's ``model.json``, as far as a prediction reads them."""

    study: Name
    model: Name
    base: Name | None = None
    """The member that a variant is built from."""
    package: RecordedPackage | None = None
    threshold: Annotated[float, Field(ge=0, le=1, strict=True)]
    columns: tuple[Column, ...] = Field(min_length=1, max_length=200_000)
    dataset_id: Text
    inputs: RecordedInputs
    settings: dict[str, Any]
    feature_set: RecordedSet | None
    # Networks came with a later release.
    regions: RecordedSet | None = None
    variables: dict[Name, RecordedVariable]
    references: dict[str, Reference]
    examples: dict[str, Any] | None = None
    """Known answers (`zoo.models.example_answers`); models of former releases have none."""

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("a column stands in it twice")
        labels = [rule.label for rule in self.inputs.factors]
        if len(set(labels)) < len(labels):
            raise ValueError("a factor stands in it twice")
        read = [rule.variable for rule in self.inputs.factors]
        read += [self.inputs.harmonise] if self.inputs.harmonise is not None else []
        if unknown := sorted(set(read) - self.variables.keys()):
            raise ValueError(f"it reads '{unknown[0]}' and does not say what that is")
        for rule in self.inputs.factors:
            wanted = "category" if rule.equals is not None else "number" if rule.above is not None else None
            if wanted is not None and self.variables[rule.variable].kind != wanted:
                raise ValueError(f"the factor '{rule.label}' needs a {wanted}")
        return self


class ModelManifest(_Recorded):
    """What stands beside an exported model: the hash of its folder, and what happened to it since the training."""

    format: Literal[1, 2] = 1
    study: Name | None = None
    model: Name | None = None
    version: Annotated[int, Field(ge=1, le=2**53, strict=True)] | None = None
    sha256: Sha256
    mark: Text | None = None
    trained_at: Text | None = None
    files: dict[Text, Sha256] | None = None
    manifest_sha256: Sha256 | None = None

    def sealed(self) -> dict[str, Any]:
        """Return the manifest as it is written, with the hash of all it says."""
        said = self.model_copy(update={"format": MODEL_MANIFEST_FORMAT})._said()
        return said | {"manifest_sha256": sha256_of_json(said)}

    @property
    def is_whole(self) -> bool:
        """Return whether it says what was sealed; one of format 1 was not sealed, and its mark can be anything."""
        return self.format == 1 or (
            self.manifest_sha256 == sha256_of_json(self._said()) and None not in (self.study, self.model, self.files)
        )

    def _said(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude={"manifest_sha256"})


def record_faults(error: ValidationError) -> str:
    """Return the first fault of a document in a phrase; what stands in it is not repeated."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part)[:60] for part in first["loc"]) or "the document"
    return f"{place}: {first['msg'].removeprefix('Value error, ')[:200]}"
