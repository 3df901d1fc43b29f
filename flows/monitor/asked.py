"""What a study file asks about drift, as questions that can be asked of its store."""

from __future__ import annotations

from dataclasses import dataclass

from flows.monitor.report import DriftReport
from flows.monitor.rules import DriftRules
from flows.monitor.run import monitor
from schemas.drift.asked import Monitor
from schemas.study.file import Study
from store.history.snapshot import Snapshot
from store.home import Store

__all__ = ["DriftQuestion", "answered", "study_questions"]


@dataclass(frozen=True)
class DriftQuestion:
    """One question about drift: its false-alarm rate holds for it alone."""

    study: str
    by: str
    reference: str | None
    feature_set: str | None
    model: str | None
    """``STUDY/MODEL``."""
    rules: DriftRules
    notes: tuple[str, ...] = ()
    """What the study asks besides and cannot be asked yet."""

    @property
    def options(self) -> list[str]:
        """Return the words that ask the same of ``radzoo monitor``."""
        named = {
            "--study": self.study,
            "--by": self.by,
            "--reference": self.reference,
            "--feature-set": self.feature_set,
            "--model": self.model,
            "--alpha": None if self.rules.alpha == DriftRules.alpha else f"{self.rules.alpha:g}",
            "--least-psi": None if self.rules.least_psi == DriftRules.least_psi else f"{self.rules.least_psi:g}",
        }
        return [word for option, value in named.items() if value is not None for word in (option, value)]


def study_questions(snapshot: Snapshot, study: Study) -> list[DriftQuestion]:
    """Return what a study asks in ``[monitor]``, a question a grouping; none where its file has no such table.

    A model that is not trained yet is left out with a note: without that nothing would be compared until then.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        As of the snapshot.
    """
    if study.monitor is None:
        return []
    return [_question(snapshot, study, study.monitor, by) for by in study.monitor.by]


def answered(store: Store, question: DriftQuestion, commit_id: int | None = None) -> DriftReport:
    """Return the answer to a question.

    Parameters
    ----------
    store : Store
        The store.
    question : DriftQuestion
        As `study_questions` returns it.
    commit_id : int, optional
        As of which commit; the newest where absent.

    Raises
    ------
    NotFoundError
        When a set or a group is not there.
    ContractError
        When the groups cannot be told or compared.
    """
    return monitor(
        store,
        question.study,
        feature_set=question.feature_set,
        model=question.model,
        by=question.by,
        reference=question.reference,
        rules=question.rules,
        as_of=commit_id,
    )


def _question(snapshot: Snapshot, study: Study, asked: Monitor, by: str) -> DriftQuestion:
    is_trained = asked.model is not None and bool(snapshot.rows("models", study=study.id, model=asked.model))
    notes = () if is_trained or asked.model is None else (f"predictions: model '{asked.model}' is not trained yet",)
    return DriftQuestion(
        study.id,
        by,
        asked.reference.get(by),
        asked.feature_set or study.first_feature_set,
        f"{study.id}/{asked.model}" if is_trained else None,
        DriftRules(asked.alpha, asked.least_psi),
        notes,
    )
