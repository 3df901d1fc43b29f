"""The fault of a table whose header does not stand where it was looked for."""

from __future__ import annotations

from schemas.errors import ContractError

__all__ = ["HeaderRowError"]


class HeaderRowError(ContractError):
    """What stands where a table's header should is none.

    Parameters
    ----------
    message, where, hint : str
        As for every error.
    header_row : int, optional
        The line or row that may be the header.
    found_row : int, optional
        The one that was taken for it, where a table can be read from there.
    """

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        header_row: int | None = None,
        found_row: int | None = None,
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.header_row, self.found_row = header_row, found_row
