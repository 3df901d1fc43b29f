"""How large a table may be: bounds by what a file says of itself, and while it is unpacked, each a setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from schemas.settings import LimitSetting, limit_setting

__all__ = ["TABLE_CELLS", "TABLE_COLUMNS", "TABLE_MB", "TableLimits"]

TABLE_MB: Final = "RADZOO_TABLE_MB"
"""The environment's variable for the megabytes of a table, packed or unpacked."""
TABLE_CELLS: Final = "RADZOO_TABLE_CELLS"
"""The environment's variable for the cells of a table: rows times columns."""
TABLE_COLUMNS: Final = "RADZOO_TABLE_COLUMNS"
"""The environment's variable for the columns of a table."""

_MOST = 10**12
_MEGABYTES = LimitSetting(TABLE_MB, 200, _MOST)
_CELLS = LimitSetting(TABLE_CELLS, 12_000_000, _MOST)
_COLUMNS = LimitSetting(TABLE_COLUMNS, 50_000, _MOST)


class TableLimits(NamedTuple):
    """The largest table that is read.

    The defaults hold 100,000 patients of 100 features, or 500 of 20,000: such a table takes about 2 GB of memory.
    """

    megabytes: int = _MEGABYTES.default
    cells: int = _CELLS.default
    columns: int = _COLUMNS.default

    @property
    def bytes(self) -> int:
        """Return how many bytes a table may have."""
        return self.megabytes * 1_000_000

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> TableLimits:
        """Return the limits that the environment sets, defaults where it sets none.

        Raises
        ------
        UsageError
            When a variable is no whole number above 0.
        """
        return cls(*(limit_setting(each, environment) for each in (_MEGABYTES, _CELLS, _COLUMNS)))
