"""What a reader of the store may expect of a model, and the one place above the store that has models."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, cast

from schemas.errors import NotFoundError
from store.history.snapshot import Snapshot
from store.reading.answer import Predicted

__all__ = ["MODELS", "Model", "model_opener"]

MODELS = "zoo.models.opened"
"""The module whose ``open_model`` makes a `Model`. The store knows its name and no more: it stands above the store."""


class Model(Protocol):
    """A trained model of the store."""

    @property
    def study(self) -> str:
        """Return the study that it was trained in."""

    @property
    def name(self) -> str:
        """Return the member of the zoo, or the variant, that it is."""

    @property
    def version(self) -> int:
        """Return its version, which counts up with every training that gave another model."""

    @property
    def threshold(self) -> float:
        """Return the probability from which a patient counts as positive, frozen in training."""

    @property
    def mark(self) -> str | None:
        """Return what happened to it since, such as that a training patient was erased; None where nothing did."""

    @property
    def dataset(self) -> str:
        """Return the id of the dataset that it was trained from."""

    @property
    def trained_at(self) -> str:
        """Return when it was trained, UTC."""

    @property
    def sha256(self) -> str:
        """Return the hash of its folder."""

    @property
    def summary(self) -> Mapping[str, Any]:
        """Return what it learned: features or factors, their coefficients, parameters."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that it reads, in their order."""

    @property
    def estimator(self) -> Any:
        """Return the fitted scikit-learn estimator, its folder's hash compared and its types allow-listed."""

    @property
    def card(self) -> str:
        """Return its card, Markdown: what it is, was trained on, and may be used for."""

    @abstractmethod
    def predict(
        self,
        study: str | None = None,
        *,
        patients: Sequence[str] | None = None,
        include_training: bool = False,
        explain: bool = False,
    ) -> Predicted:
        """Return its probabilities for patients of a study, each with the reason where there is none.

        Parameters
        ----------
        study : str, optional
            Whose patients; the model's own study where absent.
        patients : sequence of str, optional
            Pseudonyms; all patients of the study where absent.
        include_training : bool
            Answer for patients that it was trained on too; ``cohort`` marks them.
        explain : bool
            Add what each column contributes.

        Raises
        ------
        NotFoundError
            When the study has no such patient.
        ContractError
            When the study cannot give the model what it reads, or a patient is of its own training cohort and
            ``include_training`` is false.
        """


class _Opener(Protocol):
    def __call__(
        self, snapshot: Callable[[], Snapshot], name: str, *, study: str | None, version: int | None
    ) -> Model: ...


def model_opener() -> _Opener:
    """Return what opens a model.

    Raises
    ------
    NotFoundError
        When a library that models need is not installed.
    """
    try:
        return cast("_Opener", import_module(MODELS).open_model)
    except ModuleNotFoundError as error:
        raise NotFoundError(
            f"'{error.name}' is not installed, and models need it", hint="radzoo doctor names what is missing"
        ) from error
