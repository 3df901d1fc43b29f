"""URLs of objects in S3-compatible buckets, as a study file's path patterns may have them.

Bucket and key stand in a URL as the bucket has them: nothing is percent-encoded. Behind a question mark are options of
the server's place. Keys and passwords are not among them; they come from the environment of whoever reads.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["ObjectUrl", "is_url", "object_url", "shown_url", "url_fault"]

_SCHEME: Final = "s3://"
_OPTIONS: Final = ("region", "endpoint_override", "scheme", "force_virtual_addressing")

_ANY_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_OPTION = re.compile(r"([a-z_]+)=([A-Za-z0-9._:/%-]+)")
_EXAMPLE = "s3://bucket/folder/{patient}.nii.gz?region=eu-central-1"


class ObjectUrl(NamedTuple):
    """A URL in its parts."""

    bucket: str
    key: str
    """The object's, or what the keys of a folder's objects begin with; without a slash at its end."""
    options: str
    """What stands behind the question mark; empty where there is none."""

    @property
    def server(self) -> str:
        """Return the URL of the bucket alone, with its options: what is opened to reach it."""
        return f"{_SCHEME}{self.bucket}" + (f"?{self.options}" if self.options else "")

    @property
    def place(self) -> str:
        """Return bucket and key, as a path."""
        return f"{self.bucket}/{self.key}"


def is_url(text: str) -> bool:
    """Return whether a path is written as a URL, of whatever scheme.

    Examples
    --------
    >>> is_url("s3://bucket/P1.nii.gz"), is_url("images/P1.nii.gz")
    (True, False)
    """
    return _ANY_URL.match(text) is not None


def url_fault(url: str) -> str | None:
    """Return what is wrong with a URL, None where it names an object or a folder of a bucket.

    What the URL holds is not repeated: it may be a password.

    Parameters
    ----------
    url : str
        With fields of a pattern or with what stands for them.

    Examples
    --------
    >>> url_fault("s3://bucket/{patient}.nii.gz?region=eu-central-1") is None
    True
    >>> url_fault("s3://key:secret@bucket/{patient}.nii.gz").partition(":")[0]
    'it has a user or a password'
    """
    if not url.startswith(_SCHEME):
        return f"it is a URL of a kind that is not read: {_EXAMPLE}"
    place, _, options = url.removeprefix(_SCHEME).partition("?")
    bucket, _, key = place.partition("/")
    if "@" in bucket:
        return "it has a user or a password: keys come from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"
    if not _BUCKET.fullmatch(bucket):
        return f"it has no name of a bucket behind {_SCHEME}: {_EXAMPLE}"
    parts = key.removesuffix("/").split("/")
    if any(part in ("", ".", "..") for part in parts):
        return f"a part of it is empty, . or ..: {_EXAMPLE}"
    for each in options.split("&") if options else ():
        option = _OPTION.fullmatch(each)
        if option is None or option[1] not in _OPTIONS:
            return f"behind the question mark stand {', '.join(_OPTIONS)} and nothing else, as in {_EXAMPLE}"
        if option[1] == "scheme" and option[2] not in ("http", "https"):
            return "scheme is https or http"
    return None


def object_url(url: str) -> ObjectUrl:
    """Return a URL without fault in its parts.

    Raises
    ------
    ValueError
        With the fault of one that has any.

    Examples
    --------
    >>> object_url("s3://bucket/scans/P1/?scheme=http").place
    'bucket/scans/P1'
    """
    if fault := url_fault(url):
        raise ValueError(fault)
    place, _, options = url.removeprefix(_SCHEME).partition("?")
    bucket, _, key = place.removesuffix("/").partition("/")
    return ObjectUrl(bucket, key, options)


def shown_url(url: str) -> str:
    """Return a URL as messages show it: without its options, and without a user that it should not have.

    Examples
    --------
    >>> shown_url("s3://bucket/scans/P1.nii.gz?endpoint_override=minio:9000")
    's3://bucket/scans/P1.nii.gz'
    """
    return re.sub("//[^@/]*@", "//", url).partition("?")[0]
