"""What the store asks of every kind of feature set, and of those that have a column for each feature."""

from __future__ import annotations

from typing import Protocol, TypeGuard

from schemas.plain_keys import Combination

__all__ = ["SetKind", "WideKind", "is_wide"]


class SetKind(Protocol):
    """A kind of feature set."""

    @property
    def name(self) -> str:
        """Return what the column ``kind`` of ``feature_sets`` calls it."""

    @property
    def is_of_masks(self) -> bool:
        """Return whether a row is of a mask, and so there under each key that the mask has."""

    def view(self, feature_set: str) -> str:
        """Return the view that shows the rows of ``name@N``, without quotes."""

    def chosen_by(self, feature_set: str) -> str:
        """Return the condition that leaves the set's rows of its view; empty where it has no others."""


class WideKind(SetKind, Protocol):
    """A kind whose sets have a column for each feature, and so a view each."""

    @property
    def details(self) -> tuple[str, ...]:
        """Return the columns that a row has between its extraction's id and its features."""

    @property
    def comments(self) -> dict[str, str]:
        """Return what the extraction's id and the details mean."""

    @property
    def keys_from(self) -> str:
        """Return whose columns a row's key is: ``s``, those of its segment, or ``m``, those of its mask."""

    @property
    def mask_join(self) -> str:
        """Return how segments ``s`` are joined with the masks ``m`` of the catalogue; empty where they need none."""

    @property
    def of_mask(self) -> str:
        """Return what else an extraction ``e`` must meet to be a mask's: its phase, where that decides values."""

    def with_primary(self, view: str, primary: str) -> tuple[str, str]:
        """Return in SQL whether models read a row, and the join that this needs.

        Parameters
        ----------
        view : str
            What the rows of the set's view are called in the query.
        primary : str
            The query of the keys of the masks that models read, with ``is_primary``.
        """

    def primary_rows(self, view: str, study: str, feature_set: str, combination: Combination = "none") -> str:
        """Return the query of the rows that a study's models read.

        Parameters
        ----------
        view : str
            The set's view, quoted.
        study, feature_set : str
            Their names as SQL texts.
        combination : Combination
            How several rows of one patient and phase become one, which then has no other key, id or detail.
        """


def is_wide(kind: SetKind) -> TypeGuard[WideKind]:
    """Return whether sets of a kind have a column for each feature."""
    return hasattr(kind, "details")
