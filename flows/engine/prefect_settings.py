"""Prefect's settings, loaded and checked: a wrong one is named in a line before any flow starts."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import tempfile
import tomllib
import warnings
from contextlib import closing, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flows.engine.prefect_environment import DEFAULTS, PROXY_VARIABLES, is_loopback
from flows.engine.progress import say
from flows.engine.server_secret import SECRET_VARIABLES
from schemas.errors import NotFoundError, RadzooError, UsageError

if TYPE_CHECKING:
    from prefect.settings.models.root import Settings

__all__ = [
    "checked_settings",
    "chosen_secret",
    "loaded_settings",
    "masked",
    "next_look",
    "one_line",
    "refuse_unusable_database",
]

_API = "PREFECT_API_URL"
_PATIENCE_S = 5.0
_EPHEMERAL = "PREFECT_SERVER_EPHEMERAL_ENABLED"


def checked_settings() -> Settings:
    """Return Prefect's settings, of which every part that flows need can be used.

    Raises
    ------
    UsageError
        If a variable, a profile or a file of settings is wrong, Prefect's folder cannot be written, or there is neither
        a server nor leave to start a temporary one.
    NotFoundError
        If the database that its server is to use does not answer.
    """
    settings = loaded_settings()
    _refuse_unknown_profile(settings)
    _refuse_missing_certificates()
    url = settings.api.url
    if url is None:
        if not settings.server.ephemeral.enabled:
            raise UsageError(
                f"there is no Prefect server: {_API} is not set, and {_EPHEMERAL} forbids a temporary one",
                hint=f"unset {_EPHEMERAL}, or set {_API} to a server that runs",
            )
        refuse_unusable_database(settings)
    elif urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise UsageError(
            f"{_API} is no address of a server: '{masked(url)}'",
            hint=f"set {_API}=http://HOST:4200/api, or unset it for a temporary server",
        )
    _leave_out_unusable_proxies(url)
    return settings


def one_line(error: BaseException) -> str:
    """Return what an error says in its first line, without passwords; its kind where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return masked(lines[0]) if lines else type(error).__name__


def masked(text: str) -> str:
    """Return a text without the passwords of the URLs in it."""
    return re.sub(r"(://[^:@/\s]*):[^@/\s]*@", r"\1:***@", text)


def next_look() -> str:
    """Return where to look for a setting that Prefect fails on without naming it."""
    ours = (*DEFAULTS, *SECRET_VARIABLES)
    own = sorted(name for name in os.environ if name.upper().startswith("PREFECT_") and name not in ours)
    return f"unset {', '.join(own)}, one after the other" if own else "look into prefect.toml and .env of this folder"


def chosen_secret(settings: Settings) -> str | None:
    """Return the secret that the user's own settings give a server, None where they give none."""
    chosen = settings.server.api.auth_string or settings.api.auth_string
    return chosen.get_secret_value() if chosen is not None else None


def loaded_settings() -> Settings:
    """Return Prefect's settings, each of which is a value of its kind; what they name is not looked at.

    Raises
    ------
    UsageError
        If a variable, a profile or a file of settings is wrong.
    """
    try:
        # What Prefect would print of its settings here is refused below, in a line.
        with warnings.catch_warnings(), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            from prefect.settings.models.root import Settings

            return Settings()
    except ImportError as error:
        raise RadzooError(
            f"Prefect cannot be loaded: {one_line(error)}",
            hint="radzoo doctor tells what is missing",
        ) from error
    except Exception as error:
        raise _settings_fault(error) from error


def _settings_fault(error: Exception) -> UsageError:
    # pydantic's errors list what is wrong; Prefect's own settings are one model a group.
    listed = getattr(error, "errors", None)
    if not callable(listed):
        return UsageError(f"Prefect's settings cannot be read: {one_line(error)}", hint=next_look())
    first = listed()[0]
    given, field = str(first.get("input", "")), ".".join(map(str, first.get("loc", ())))
    named = [name for name, value in os.environ.items() if name.upper().startswith("PREFECT_") and value == given]
    reason = str(first.get("msg", "")).removeprefix("Value error, ")
    if not named:
        return UsageError(
            f"Prefect's setting '{field}' is wrong: '{masked(given)}': {reason}",
            hint="correct it in Prefect's profile, prefect.toml or .env; prefect config view shows where it is set",
        )
    return UsageError(f"{named[0]}='{masked(given)}' is wrong: {reason}", hint=f"unset {named[0]}, or correct it")


def _refuse_unknown_profile(settings: Settings) -> None:
    from prefect.settings.constants import DEFAULT_PROFILES_PATH

    known: set[str] = set()
    active = None
    for file in (DEFAULT_PROFILES_PATH, settings.profiles_path):
        if file is None or not file.exists():
            continue
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
            known |= content.get("profiles", {}).keys()
        except (OSError, ValueError, AttributeError) as error:
            raise UsageError(
                f"Prefect's profiles cannot be read: {one_line(error)}",
                where=str(file),
                hint=f"correct the file, or remove it: mv {file} {file}.broken",
            ) from error
        active = content.get("active", active)
    chosen = os.environ.get("PREFECT_PROFILE", active)
    if chosen not in known:
        by = "PREFECT_PROFILE" if "PREFECT_PROFILE" in os.environ else str(settings.profiles_path)
        raise UsageError(
            f"{by} names a profile of Prefect that does not exist: '{chosen}'",
            hint=f"name one of: {', '.join(sorted(known))}; or unset PREFECT_PROFILE",
        )


def _refuse_missing_certificates() -> None:
    for name in ("SSL_CERT_FILE", "PREFECT_API_SSL_CERT_FILE"):
        if (file := os.environ.get(name)) and not Path(file).is_file():
            raise UsageError(f"{name} names a file that does not exist: '{file}'", hint=f"unset {name}, or correct it")


def refuse_unusable_database(settings: Settings) -> None:
    """Refuse a database that a server started here could not open; Prefect's own words come after minutes.

    Raises
    ------
    UsageError
        If it is none of Prefect's, its folder cannot be written, or its file is damaged.
    NotFoundError
        If its server does not answer.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    secret = settings.server.database.connection_url
    url = secret.get_secret_value() if secret is not None else ""
    variable = next(
        (name for name, value in os.environ.items() if name.startswith("PREFECT_") and value == url),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL",
    )
    hint = f"unset {variable}: the temporary server then keeps its records in PREFECT_HOME"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise UsageError(f"{variable} is no database URL: '{masked(url)}'", hint=hint) from error
    if parsed.drivername not in ("sqlite+aiosqlite", "postgresql+asyncpg"):
        raise UsageError(
            f"{variable} names no database that Prefect uses: '{parsed.drivername}' is neither sqlite+aiosqlite nor "
            "postgresql+asyncpg",
            hint=hint,
        )
    if parsed.drivername == "postgresql+asyncpg":
        _refuse_silent_host(parsed.host or "localhost", parsed.port or 5432, variable)
        return
    if not parsed.database or ":memory:" in url:
        return
    file = Path(parsed.database)
    if file.parent == settings.home:
        _refuse_unwritable(settings.home, "PREFECT_HOME=FOLDER names one that can be written")
        _refuse_damaged(file, f"PREFECT_HOME=FOLDER names another folder; or remove the file: mv {file} {file}.broken")
    else:
        _refuse_unwritable(file.parent, hint)
        _refuse_damaged(file, hint)


def _refuse_silent_host(host: str, port: int, variable: str) -> None:
    try:
        with socket.create_connection((host, port), timeout=_PATIENCE_S):
            pass
    except OSError as error:
        raise NotFoundError(
            f"the database of {variable} does not answer: {error.strerror or one_line(error)}",
            where=f"{host}:{port}",
            hint=f"start it, or unset {variable}",
        ) from error


def _refuse_unwritable(folder: Path, hint: str) -> None:
    try:
        # Prefect makes the folder itself, but not the folders above it.
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = "it is a file" if folder.is_file() else error.strerror or one_line(error)
        raise UsageError(
            f"Prefect's records cannot be written to its folder: {reason}", where=str(folder), hint=hint
        ) from error


def _refuse_damaged(file: Path, hint: str) -> None:
    if not file.exists():
        return
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=5)) as connection:
            # Takes the lock of a writer, and gives it back.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        if "locked" in str(error):
            return
        raise UsageError(f"Prefect's records cannot be used: {one_line(error)}", where=str(file), hint=hint) from error


def _leave_out_unusable_proxies(url: str | None) -> None:
    """Take proxies out of this process that Prefect's client cannot even read; it would, for a server on this machine.

    Raises
    ------
    UsageError
        If Prefect's server is elsewhere.
    """
    is_here = url is None or is_loopback(urlsplit(url).hostname or "")
    for name in PROXY_VARIABLES:
        if (value := os.environ.get(name)) and (reason := _unusable(value)) is not None:
            if not is_here:
                raise UsageError(
                    f"{name}='{masked(value)}' is no proxy that Prefect can use: {reason}",
                    hint=f"unset {name}, or pip install 'httpx[socks]' for a SOCKS proxy",
                )
            say(f"{name} is left out, for Prefect runs on this machine and cannot use it: {reason}")
            del os.environ[name]


def _unusable(proxy: str) -> str | None:
    import httpx

    try:
        httpx.HTTPTransport(proxy=proxy if "://" in proxy else f"http://{proxy}").close()
    except Exception as error:
        return one_line(error)
    return None
