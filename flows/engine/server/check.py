"""Whether Prefect's server answers, asked once and in seconds, before a flow asks it for minutes."""

from __future__ import annotations

import httpx

from flows.engine.prefect_settings import masked, one_line
from flows.engine.progress import say
from flows.engine.workflow import (
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    ServerType,
    get_client,
    temporary_settings,
)
from schemas.errors import NotFoundError

__all__ = ["refuse_unreachable_server"]

_PATIENCE_S = 5.0
_LONGER = 6
_OWN_PATIENCE_S = 60.0
"""For a server that this process has just started: where it is slow, the machine is."""
_AGAIN = "run the command again once the machine is less busy; PREFECT_API_URL names a server of your own"
_UNSET = "start it, correct PREFECT_API_URL, or unset it for a temporary server"


def refuse_unreachable_server(own: str | None = None) -> None:
    """Refuse a server that does not answer as Prefect's does, by the client that flows will use.

    Another version of Prefect is no fault: Prefect speaks to it.

    Parameters
    ----------
    own : str, optional
        The address of a temporary server's API; absent, it is the server of Prefect's settings.

    Raises
    ------
    NotFoundError
        If nothing answers in time, a key is refused, or something else than Prefect answers.
    """
    if own is not None:
        _ask("Prefect's temporary server", own, _OWN_PATIENCE_S, _AGAIN)
        return
    url = masked(str(PREFECT_API_URL.value()))
    try:
        _ask(url, None, _PATIENCE_S, _UNSET)
    except NotFoundError as error:
        if not isinstance(error.__cause__, httpx.TimeoutException):
            raise
        # It is there, and busy: that can pass.
        say(f"Prefect's server does not answer within {_PATIENCE_S:g} s: asking once more")
        _ask(url, None, _LONGER * _PATIENCE_S, _UNSET)


def _ask(url: str, own: str | None, patience: float, hint: str) -> None:
    try:
        with (
            temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0} | ({} if own is None else {PREFECT_API_URL: own})),
            get_client(httpx_settings={"timeout": patience}, sync_client=True) as client,
        ):
            if (error := client.api_healthcheck()) is not None:
                raise error
            if client.server_type != ServerType.CLOUD and not isinstance(client.api_version(), str):
                raise _something_else(url, "no version")
    except NotFoundError:
        raise
    except httpx.TimeoutException as error:
        raise NotFoundError(f"Prefect's server does not answer within {patience:g} s", where=url, hint=hint) from error
    except httpx.ProxyError as error:
        raise NotFoundError(
            f"Prefect's server cannot be reached through the proxy: {one_line(error)}",
            where=url,
            hint="correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or add the server's name to NO_PROXY",
        ) from error
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise NotFoundError(
                f"Prefect's server refuses the key (HTTP {status})",
                where=url,
                hint="set PREFECT_API_KEY, or PREFECT_API_AUTH_STRING, to the server's",
            ) from error
        raise _something_else(url, f"HTTP {status}") from error
    except httpx.TransportError as error:
        raise NotFoundError(f"Prefect's server does not answer: {one_line(error)}", where=url, hint=hint) from error
    except ValueError as error:  # no JSON
        raise _something_else(url, "no JSON") from error
    except Exception as error:
        raise NotFoundError(f"Prefect's server cannot be asked: {one_line(error)}", where=url, hint=hint) from error


def _something_else(url: str, found: str) -> NotFoundError:
    return NotFoundError(
        f"something else than Prefect's server answers ({found})",
        where=url,
        hint="set PREFECT_API_URL=http://HOST:4200/api, with /api at its end, or unset it for a temporary server",
    )
