"""The environment that Prefect reads when it is loaded, here and in the processes that are started from here."""

from __future__ import annotations

from collections.abc import MutableMapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["DEFAULTS", "PROXY_VARIABLES", "is_loopback", "set_prefect_environment"]

DEFAULTS = {
    # The analytics service writes to Prefect's SQLite file while a flow does, and they lock each other out.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # Its log lines would stand among the progress.
    "PREFECT_LOGGING_LEVEL": "WARNING",
    # And so would its tracebacks.
    "PREFECT_LOGGING_SETTINGS_PATH": str(Path(__file__).with_name("prefect_logging.yml")),
    # The temporary server takes longer than 20 seconds to come up on a busy machine.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}
"""Prefect's settings where the user has set none."""

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
PROXY_VARIABLES = tuple(spelled for name in _PROXIES for spelled in (name, name.upper()))
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_loopback(host: str) -> bool:
    """Return whether a host's name or address is this machine's own."""
    with suppress(ValueError):
        address = ip_address(host)
        return address.is_loopback or address.is_unspecified
    return host.rstrip(".").lower() == "localhost"


def set_prefect_environment(environment: MutableMapping[str, str]) -> None:
    """Set what the user has left unset, and keep what stays on this machine off every proxy.

    Called before Prefect is loaded; it loads nothing itself. A proxy that is set for the web would otherwise be asked
    for Prefect's server on this machine, in vain.

    Parameters
    ----------
    environment : mutable mapping of str to str
        ``os.environ``; child processes inherit it.
    """
    for name, value in DEFAULTS.items():
        environment.setdefault(name, value)
    if not any(environment.get(name) for name in PROXY_VARIABLES):
        return
    exempt = _exempt(environment)
    if "*" in exempt:
        return
    exempt += [host for host in (*_LOOPBACK, *_own_server(environment)) if host not in exempt]
    # Both, for of the two spellings some programs read one, some the other.
    environment["no_proxy"] = environment["NO_PROXY"] = ",".join(exempt)


def _exempt(environment: MutableMapping[str, str]) -> list[str]:
    given = f"{environment.get('no_proxy', '')},{environment.get('NO_PROXY', '')}"
    return list(dict.fromkeys(host for each in given.split(",") if (host := each.strip())))


def _own_server(environment: MutableMapping[str, str]) -> list[str]:
    with suppress(ValueError):
        host = urlsplit(environment.get("PREFECT_API_URL", "")).hostname
        return [host] if host and is_loopback(host) else []
    return []
