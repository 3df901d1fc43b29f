"""What a bucket's server refuses, and what this machine's disk does, as the errors that a user meets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from schemas.errors import ContractError, RadzooError
from schemas.settings import CACHE_VARIABLE
from schemas.written.object_urls import shown_url

__all__ = ["BucketError", "bucket_faults", "cache_faults"]

_REFUSED = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH|INVALID_CLIENT_TOKEN_ID|EXPIRED_TOKEN"
    r"|MISSING_AUTHENTICATION_TOKEN|UNRECOGNIZED_CLIENT|AUTH_FAILURE|HTTP status 40[13]"
)
_NO_ANSWER = re.compile(r"NETWORK_CONNECTION|REQUEST_TIMEOUT|SERVICE_UNAVAILABLE|SLOW_DOWN|curlCode|HTTP status 5\d\d")
_NAME = re.compile(r"AWS Error ([A-Z_]+)")


class BucketError(ContractError):
    """A bucket's server does not answer, or refuses: no single image is at fault, and none can be read."""


@contextmanager
def bucket_faults(url: str) -> Iterator[None]:
    """Say within what a bucket's server does, without a word of its own but the error's name.

    Raises
    ------
    BucketError
        When the server cannot be reached, refuses, or answers with another error than that there is no such object.
    FileNotFoundError
        When there is no such object.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        said, where = str(error), shown_url(url)
        name = found[1] if (found := _NAME.search(said)) else type(error).__name__
        if _REFUSED.search(said):
            raise BucketError(
                f"the bucket's server refuses access ({name})",
                where=where,
                hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, on each machine that computes, to those of an "
                "account that may list the bucket and read its objects, then run the command again",
            ) from error
        if _NO_ANSWER.search(said):
            raise BucketError(
                f"the bucket's server does not answer ({name})",
                where=where,
                hint="see whether it runs and can be reached from this machine, and what the URL says of it behind the "
                "question mark (endpoint_override, scheme, region), then run the command again",
            ) from error
        raise BucketError(
            f"the bucket's server ends in an error ({name})",
            where=where,
            hint="correct bucket, key or options of the URL in the study file, then run the command again",
        ) from error


@contextmanager
def cache_faults(folder: Path) -> Iterator[None]:
    """Say within what the disk of this machine's copies refuses.

    Raises
    ------
    RadzooError
        When it cannot be written or read.
    """
    try:
        yield
    except OSError as error:
        raise RadzooError(
            f"copies of remote images cannot be kept: {error.strerror or error}",
            where=str(folder),
            hint=f"make room there, or name another folder by {CACHE_VARIABLE}, then run the command again; what was "
            "finished is kept",
        ) from error
