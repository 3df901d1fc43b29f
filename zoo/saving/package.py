"""The package that adds a saved model's member: written into the model's record, and asked for what may be loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from packaging.utils import canonicalize_name
from pydantic import ValidationError

from schemas.documents.model_record import RecordedPackage
from schemas.errors import ContractError
from zoo.plugins import PluginEntry, PluginModel, plugin_entries

__all__ = ["installed_package", "package_record", "package_types", "recorded_package"]


def package_record(entry: PluginEntry | None) -> dict[str, dict[str, str]]:
    """Return what a model's record says of the package that adds its member; nothing of radzoo's own."""
    if entry is None:
        return {}
    return {"package": {"name": entry.package, "version": entry.version, "member": entry.name}}


def recorded_package(metadata: Mapping[str, Any], where: str) -> RecordedPackage | None:
    """Return the package that a model's record names, None where its member is radzoo's own.

    Raises
    ------
    ContractError
        If what it says is no package.
    """
    if metadata.get("package") is None:
        return None
    try:
        return RecordedPackage.model_validate(metadata["package"])
    except ValidationError as error:
        raise ContractError("the record names a package in a way that no package is named", where=where) from error


def package_types(metadata: Mapping[str, Any], where: str) -> frozenset[str]:
    """Return the types that the package of a model's record adds to those that are loaded.

    Parameters
    ----------
    metadata : mapping
        Of ``model.json``.
    where : str
        The file, for errors.

    Raises
    ------
    ContractError
        If the package is not installed, adds no such member, or cannot be loaded.
    """
    recorded = recorded_package(metadata, where)
    if recorded is None:
        return frozenset()
    described = installed_package(recorded, where).described
    return frozenset(described.types) if isinstance(described, PluginModel) else frozenset()


def installed_package(recorded: RecordedPackage, where: str) -> PluginEntry:
    """Return what the installed package adds that a model's record names.

    Raises
    ------
    ContractError
        If the package is not installed, or adds no such member.
    """
    entry = plugin_entries().get(recorded.member)
    if entry is None or canonicalize_name(entry.package) != canonicalize_name(recorded.name):
        installed = f"; another package, {entry.package}, adds a model of that name" if entry is not None else ""
        raise ContractError(
            f"the model needs the package {recorded.name} {recorded.version}, which adds '{recorded.member}' "
            f"and is not installed{installed}",
            where=where,
            hint=f"pip install {recorded.name}=={recorded.version}, if you trust it",
        )
    return entry
