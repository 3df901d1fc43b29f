"""The secret that a Prefect server of radzoo's own asks for: whoever uses this machine reaches its port."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["SECRET_VARIABLES", "secret_file", "share_secret"]

_SERVER, _CLIENT = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"
SECRET_VARIABLES = (_SERVER, _CLIENT)
"""What Prefect's server and its clients read, in the form ``user:password``."""


def share_secret(environment: MutableMapping[str, str], chosen: str | None) -> str:
    """Have the server, this process and its children know one secret, and return it.

    It stays in the environment, which other accounts cannot read: an argument of a process they can.

    Parameters
    ----------
    environment : mutable mapping of str to str
        ``os.environ``, before Prefect reads it.
    chosen : str or None
        A secret of the user's own; a new one is made where there is none.
    """
    secret = chosen or f"radzoo:{secrets.token_urlsafe(32)}"
    for name in SECRET_VARIABLES:
        environment[name] = secret
    return secret


@contextmanager
def secret_file(secret: str, folder: Path, port: int) -> Iterator[Path]:
    """Keep a secret in a file that only this account reads, for the while: people log in with it.

    Parameters
    ----------
    secret : str
        The secret.
    folder : Path
        Where the server keeps its records.
    port : int
        Of the server.
    """
    file = folder / f"radzoo-serve-{port}.secret"
    # One that a kill left has another secret; a link that stands there must not be followed.
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(secret)
        yield file
    finally:
        # Another server of this port may have written its own meanwhile.
        with suppress(OSError):
            if file.read_text(encoding="utf-8") == secret:
                file.unlink()
