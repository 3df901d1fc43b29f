"""A folder of an S3-compatible bucket, opened: one way to its server for all that radzoo reads and writes there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from schemas.errors import UsageError

if TYPE_CHECKING:
    # Loaded where files are remote, and only there.
    import pyarrow.fs as pafs

__all__ = ["remote_folder"]


def remote_folder(url: str) -> tuple[pafs.FileSystem, str]:
    """Return what reads and writes at a URL, and the path there, without a slash at its end.

    Parameters
    ----------
    url : str
        ``s3://bucket/prefix``, with pyarrow's options behind a question mark (``region``, ``endpoint_override``,
        ``scheme``). Credentials come from the environment, as for any AWS client.

    Raises
    ------
    UsageError
        When the URL is of another kind.
    OSError
        When the server of a bucket without a region is asked for it and does not answer.
    """
    if not url.startswith("s3://"):
        raise UsageError(
            f"'{_shown(url)}' is no place for data",
            hint="a store's data lie in its folder, or at s3://bucket/prefix",
        )
    import pyarrow.fs as pafs

    try:
        filesystem, path = pafs.FileSystem.from_uri(url)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        # What pyarrow says repeats parts of the URL.
        said = "" if "@" in url else f": {error}"
        raise UsageError(
            f"'{_shown(url)}' is no S3 URL{said}", hint="s3://bucket/prefix?region=eu-central-1"
        ) from error
    return filesystem, path.rstrip("/")


def _shown(url: str) -> str:
    """Return a URL without what may be a key and its secret, which have slashes and question marks in them, too."""
    scheme, _, rest = url.partition("//")
    return f"{scheme}//{rest.rpartition('@')[2].partition('?')[0]}"
