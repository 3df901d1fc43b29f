"""An S3-compatible server asked for files: what can pass of it is waited for, and the rest is told in one sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from schemas.errors import ContractError, NotFoundError, RadzooError
from store.patience import tried_again

__all__ = ["ask_bucket"]

T = TypeVar("T")

_AWS = re.compile(r"AWS Error (\w+)(?: \(HTTP status (\d+)\))?(?: during (\w+) operation)?(?:: (.*))?", re.DOTALL)
_PASSING = {
    "NETWORK_CONNECTION": "no connection",
    "SLOW_DOWN": "it asks for fewer requests",
    "THROTTLING": "it asks for fewer requests",
    "SERVICE_UNAVAILABLE": "it is unavailable",
    "INTERNAL_FAILURE": "a fault of its own",
    "REQUEST_EXPIRED": "a request took too long",
    "REQUEST_TIMEOUT": "a request took too long",
}
"""What the AWS library calls a fault that can pass, in our words."""

_gone: set[str] = set()
"""Buckets that this process has waited for in vain: what a verb tidies up after that does not wait again."""


def ask_bucket(call: Callable[[], T], place: str, *, waits: bool = True) -> T:
    """Return what a call to a bucket returns; waited for where it does not answer.

    Parameters
    ----------
    call : callable
        What it does to the bucket is the same when it is done twice.
    place : str
        The bucket and the folder in it, ``s3://bucket/prefix``, without credentials.
    waits : bool
        Not where it is only tried whether there is such a bucket: one that nobody has seen is more likely misnamed.

    Raises
    ------
    NotFoundError
        When the server does not answer, or has no such bucket.
    ContractError
        When it refuses.
    FileNotFoundError
        When there is no such file.
    """
    bucket = "/".join(place.split("/")[:3])

    def passing(error: Exception) -> str | None:
        return _can_pass(error) if waits and bucket not in _gone else None

    try:
        found = tried_again(call, passing, what="the S3 server")
    except OSError as error:
        if (fault := _fault(error, place)) is None:
            raise
        if waits and _can_pass(error):
            _gone.add(bucket)
        raise fault from error
    _gone.discard(bucket)
    return found


def _can_pass(error: Exception) -> str | None:
    said = _AWS.search(str(error)) if isinstance(error, OSError) else None
    if said is None:
        return None
    status = said[2] or ""
    return _PASSING.get(said[1]) or (f"HTTP status {status}" if status in ("429", "500", "502", "503", "504") else None)


def _fault(error: OSError, place: str) -> RadzooError | None:
    said = _AWS.search(str(error))
    if said is None or error.errno is not None:
        return None
    words = re.sub(r"\s*\(Request ID: [^)]*\)", "", said[4] or "").partition(" Details: ")[0].strip(" .;")
    if (reason := _can_pass(error)) is not None:
        return NotFoundError(
            f"the S3 server does not answer: {reason}{f' ({words})' if words else ''}",
            where=place,
            hint="start the server, or correct the URL in the store's store.toml, then run the command again: what was "
            "finished is not done twice",
        )
    if said[1] == "NO_SUCH_BUCKET":
        return NotFoundError(
            "the S3 server has no such bucket",
            where=place,
            hint="make it, or correct the URL in the store's store.toml",
        )
    return ContractError(
        f"the S3 server refuses {said[3] or 'a request'}: {words or said[1]}",
        where=place,
        hint="see what the account of AWS_ACCESS_KEY_ID may do with this bucket, then run the command again",
    )
