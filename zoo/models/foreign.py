"""Models from elsewhere, asked in a child process: an estimator that crashes, hangs or swells takes only it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import ContractError, RadzooError
from store.limits.process import LimitedProcess, LimitedProcessError, Limits
from zoo.models.answers import Answers, Question, model_answers
from zoo.models.contributions import Contributions
from zoo.networks.region_columns import region_columns
from zoo.saving.booster_trees import refuse_broken_trees
from zoo.saving.persist import loaded_files

__all__ = ["ForeignFiles", "foreign_answers", "foreign_process"]

_SECONDS = 10.0
_SECONDS_A_PATIENT = 0.01
_SECONDS_OF_REGIONS = 2.0
_MEMORY = 1536 << 20


@dataclass(frozen=True)
class ForeignFiles:
    """The files of an exported folder, read and hashed once."""

    contents: Mapping[str, bytes]
    folder: Path


def foreign_process(seconds: float = _SECONDS, *, of_regions: bool = True) -> LimitedProcess:
    """Return a process for models from elsewhere: it reads nothing but Python's libraries and writes nothing."""
    # Loaded before a model's time begins.
    modules = ("zoo.saving.own_program", __name__, *(("zoo.networks.runtime",) if of_regions else ()))
    return LimitedProcess(Limits(seconds, _MEMORY, readable=()), modules=modules)


def foreign_answers(files: ForeignFiles, question: Question, process: LimitedProcess | None = None) -> Answers:
    """Return what a model from elsewhere says of patients.

    Folder and estimator are of the same hand as the hash beside them, so nothing vouches for either. The estimator is
    made, and asked, in a process with limits; numbers come back.

    Parameters
    ----------
    files : ForeignFiles
        The model.
    question : Question
        The patients, and what is asked.
    process : LimitedProcess, optional
        From `foreign_process`, where many models are asked; one of its own where absent.

    Raises
    ------
    ContractError
        If the folder holds no model, or the model has no answer within its limits.
    """
    if process is None:
        patients = question.table.height
        of_regions = bool(region_columns(question.table.columns))
        seconds = _SECONDS + patients * (_SECONDS_OF_REGIONS if of_regions else _SECONDS_A_PATIENT)
        with foreign_process(seconds, of_regions=of_regions) as own:
            return foreign_answers(files, question, own)
    try:
        found = process.call(answers_of_files, files, question)
    except LimitedProcessError as error:
        raise ContractError(
            f"the model has no answer: {error}",
            where=str(files.folder),
            hint="a model that answers in its own store was damaged or altered on the way: export it again",
        ) from error
    return Answers(**found | {"parts": None if found["parts"] is None else Contributions(**found["parts"])})


def answers_of_files(files: ForeignFiles, question: Question) -> dict[str, Any]:
    """Return the answers of the model in some files, as arrays; what it raises becomes a contract error."""
    try:
        estimator = loaded_files(files.contents, files.folder, finite=True).estimator
        refuse_broken_trees(estimator)
        found = model_answers(estimator, question)
    except RadzooError as error:
        if error.where is None:
            raise ContractError(error.message, where=str(files.folder), hint=error.hint) from None
        raise
    except MemoryError:
        raise
    except Exception as error:  # an altered estimator ends in whatever its parts raise
        raise ContractError(
            f"the model cannot be applied: {type(error).__name__}: {' '.join(str(error).split())[:200]}",
            where=str(files.folder),
            hint="it was damaged or altered, or written with other libraries (model.json names them): export it again",
        ) from None
    parts = None if found.parts is None else vars(found.parts)
    return vars(found) | {"parts": parts}
