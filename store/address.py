"""Where a store's catalogue and data lie: in its folder, or where ``store.toml`` in that folder says."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import ContractError, UsageError

__all__ = ["ADDRESS_FILE", "StoreAddress", "stored_address", "write_address"]

ADDRESS_FILE = "store.toml"

_KEYS = ("catalogue", "data")
_HINT = "keys are catalogue (postgresql://user@host/database) and data (s3://bucket/prefix), each in quotes"


@dataclass(frozen=True)
class StoreAddress:
    """Where the two parts of a store lie; None stands for the store's own folder."""

    catalogue: str | None = None
    """``postgresql://user@host/database``; a password comes from PGPASSWORD or the URL."""
    data: str | None = None
    """``s3://bucket/prefix?region=...``; credentials come from the environment."""


def stored_address(root: Path) -> StoreAddress:
    """Return the address that a store's folder holds; everything in the folder where it holds none.

    Raises
    ------
    ContractError
        When the file is not what `write_address` writes.
    """
    file = root / ADDRESS_FILE
    if not file.exists():
        return StoreAddress()
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ContractError(f"not TOML: {error}", where=str(file), hint=_HINT) from error
    if unknown := sorted(found.keys() - set(_KEYS)):
        raise ContractError(f"unknown key '{unknown[0]}'", where=str(file), hint=_HINT)
    if wrong := sorted(key for key, value in found.items() if not isinstance(value, str)):
        raise ContractError(f"'{wrong[0]}' is no text", where=str(file), hint=_HINT)
    return StoreAddress(**found)


def write_address(root: Path, address: StoreAddress) -> Path | None:
    """Write a store's address into its folder and return the file, None where all lies in the folder.

    Raises
    ------
    UsageError
        When a store is there already, at another address.
    """
    file = root / ADDRESS_FILE
    is_there = file.exists() or (root / "catalogue.sqlite").exists()
    if is_there and stored_address(root) != address:
        raise UsageError(
            "there is a store already, at another address",
            where=str(root),
            hint="name another folder with --store: a store's address never changes",
        )
    root.mkdir(parents=True, exist_ok=True)
    named = {key: value for key in _KEYS if (value := getattr(address, key)) is not None}
    if not named:
        return None
    quoted = {key: value.replace("\\", "\\\\").replace('"', '\\"') for key, value in named.items()}
    file.write_text("".join(f'{key} = "{value}"\n' for key, value in quoted.items()), encoding="utf-8")
    # A catalogue URL may hold a password.
    file.chmod(0o600)
    return file
