"""The segments of a feature set as one Arrow dataset, which DuckDB reads through and can write nothing to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.fs as pafs

from schemas.errors import ContractError

if TYPE_CHECKING:
    import pyarrow.dataset as ds

__all__ = ["segment_dataset"]


def segment_dataset(feature_set: str, files: Sequence[Path], file_column: str) -> ds.Dataset:
    """Return the rows of segments, each with the path of its file in a column more.

    A column that a segment lacks is null there.

    Parameters
    ----------
    feature_set : str
        ``name@version``, for messages.
    files : sequence of Path
        Its segments, at least one.
    file_column : str
        The column's name, from `store.analyst.view_parts.segment_file_column`.

    Raises
    ------
    ContractError
        When a file is missing or damaged.
    """
    # It loads pandas, where that is installed: half a second, for those alone who read a segment so.
    import pyarrow.dataset as ds

    form, system = ds.ParquetFileFormat(), pafs.LocalFileSystem()
    # Each file's footer is read once, and kept for all questions of the connection.
    fragments = [
        form.make_fragment(str(file), system, partition_expression=ds.field(file_column) == str(file)) for file in files
    ]
    schemas: list[pa.Schema] = []
    for file, fragment in zip(files, fragments, strict=True):
        try:
            own = fragment.physical_schema
        except (OSError, pa.ArrowException) as error:
            raise ContractError(
                f"a segment of {feature_set} is missing or damaged: {str(error).splitlines()[0]}",
                where=str(file),
                hint="put the file back from a backup of the store",
            ) from error
        if not any(own.equals(each) for each in schemas):
            schemas.append(own)
    every = pa.unify_schemas([each.remove_metadata() for each in schemas], promote_options="permissive")
    readable = pa.schema([each.with_type(_without_half(each.type)) for each in every])
    return ds.FileSystemDataset(fragments, readable.append(pa.field(file_column, pa.string())), form, system)


def _without_half(kind: pa.DataType) -> pa.DataType:
    """Return a type with 32-bit floats for 16-bit ones, alone or in a list: DuckDB reads none of those from Arrow."""
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_without_half(kind.value_type), kind.list_size)
    return pa.list_(_without_half(kind.value_type)) if pa.types.is_list(kind) else kind
