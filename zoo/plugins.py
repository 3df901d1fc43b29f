"""Members and networks that other packages add by entry points, found without importing them.

A package names in its ``pyproject.toml`` what it adds, and where that is described::

    [project.entry-points."radzoo.models"]
    naive_bayes = "radzoo_example.members:NAIVE_BAYES"

    [project.entry-points."radzoo.networks"]
    tiny_densenet = "radzoo_example.members:TINY_DENSENET"

The name is the model's. The module that describes should import nothing but this one: it is loaded where members are
listed. What it names as ``build`` is imported where a model is trained or loaded.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from schemas.errors import ContractError
from schemas.keys import Name
from schemas.nearest import nearest_words
from schemas.shown_text import shown_text

__all__ = [
    "MODELS",
    "NETWORKS",
    "PluginEntry",
    "PluginFault",
    "PluginModel",
    "PluginNetwork",
    "plugin_entries",
    "plugin_faults",
]

MODELS, NETWORKS = "radzoo.models", "radzoo.networks"

PluginInput = Literal["clinical", "radiomics"]
_INPUTS = ("clinical", "radiomics")
_OPTIONS = ("missing", "correction", "lasso_rule", "harmonise")
_PLACE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*")
_TYPE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+")
_name: TypeAdapter[str] = TypeAdapter(Name)


@dataclass(frozen=True, kw_only=True)
class PluginModel:
    """A classifier of another package, described.

    Attributes
    ----------
    inputs : tuple of {'clinical', 'radiomics'}
        What it reads: the study's clinical factors, radiomics features, or both.
    description : str
        One sentence.
    build : str
        ``module:function``; ``function(settings, random_state=...)`` returns the unfitted estimator of scikit-learn,
        with ``predict_proba``. `schemas.study.models.ModelSettings` is what the study says of the model.
    types : tuple of str
        The types that a fitted one is made of: the package's own by ``module.Class`` as they are imported, and those of
        scikit-learn by the module in which they are defined (``sklearn.naive_bayes.GaussianNB``). No other is loaded.
    options : tuple of str
        Settings of the study file that it reads, of ``missing``, ``correction``, ``lasso_rule`` and ``harmonise``;
        others are refused at ingest.
    citation : str or None
        DOI of the method, where it has one source.
    """

    inputs: tuple[PluginInput, ...]
    description: str
    build: str
    types: tuple[str, ...]
    options: tuple[str, ...] = ()
    citation: str | None = None

    def __post_init__(self) -> None:
        if not self.inputs or len(set(self.inputs)) < len(self.inputs) or not set(self.inputs) <= set(_INPUTS):
            raise ValueError(f"inputs are {' and '.join(map(repr, _INPUTS))}, one of them or both, not {self.inputs!r}")
        if unknown := sorted(set(self.options) - set(_OPTIONS)):
            raise ValueError(f"options has '{unknown[0]}'{nearest_words(unknown[0], _OPTIONS)}")
        _refuse_other_words(self.description, self.build)
        for each in self.types:
            if not _TYPE.fullmatch(each):
                raise ValueError(f"types has {each!r}, which is no module.Class")


@dataclass(frozen=True, kw_only=True)
class PluginNetwork:
    """A network of another package, described: the trunk that is trained on regions.

    Attributes
    ----------
    description : str
        One sentence.
    build : str
        ``module:function``; ``function(channels)`` returns the trunk, a module of PyTorch: from regions of shape (n,
        channels, size, size) to features of shape (n, n_features), with ``n_features`` as an attribute. All that it
        holds is in its ``state_dict``. With a method ``feature_maps``, from the same to (n, maps, rows, columns), it
        has class activation maps too.
    citation : str or None
        DOI of the method, where it has one source.
    """

    description: str
    build: str
    citation: str | None = None

    def __post_init__(self) -> None:
        _refuse_other_words(self.description, self.build)


@dataclass(frozen=True)
class PluginFault:
    """Why what a package adds cannot be used."""

    package: str
    name: str
    reason: str

    def __str__(self) -> str:
        return f"'{self.name}' of the package {self.package} is left out: {self.reason}"


@dataclass(frozen=True)
class PluginEntry:
    """What a package says that it adds; `described` imports its description."""

    name: str
    group: str
    package: str
    version: str
    place: str

    @property
    def root(self) -> str:
        """Return the top-level module that the description lies in."""
        return self.place.partition(":")[0].partition(".")[0]

    @cached_property
    def _described(self) -> PluginModel | PluginNetwork | str:
        wanted = PluginModel if self.group == MODELS else PluginNetwork
        try:
            found = EntryPoint(self.name, self.place, self.group).load()
        except (Exception, SystemExit) as error:  # whatever its code does
            return f"{self.place} cannot be loaded: {type(error).__name__}: {_line(error)}"
        if not isinstance(found, PluginModel | PluginNetwork) or not isinstance(found, wanted):
            return f"{self.place} is no zoo.plugins.{wanted.__name__}"
        if isinstance(found, PluginModel):
            for each in found.types:
                if each.partition(".")[0] not in (self.root, "sklearn"):
                    return f"types has '{each}', which is neither of {self.root} nor of sklearn"
        return found

    @property
    def fault(self) -> str | None:
        """Return why it cannot be used."""
        return self._described if isinstance(self._described, str) else None

    @property
    def described(self) -> PluginModel | PluginNetwork:
        """Return the description.

        Raises
        ------
        ContractError
            If it cannot be loaded.
        """
        if isinstance(self._described, str):
            raise ContractError(
                f"the model '{self.name}' is of the package {self.package} {self.version}, and {self._described}",
                hint=f"pip install --force-reinstall {self.package}, or ask who made it; radzoo doctor looks at it",
            )
        return self._described

    def builder(self) -> Any:
        """Return the function that builds the estimator or the trunk.

        Raises
        ------
        ContractError
            If there is none.
        """
        place = self.described.build
        module, _, function = place.partition(":")
        try:
            found = getattr(importlib.import_module(module), function)
        except (Exception, SystemExit) as error:
            raise self.unfit(f"{place} cannot be loaded: {type(error).__name__}: {_line(error)}") from error
        if not callable(found):
            raise self.unfit(f"{place} is no function")
        return found

    def unfit(self, reason: str) -> ContractError:
        """Return the error that what the package makes cannot be used."""
        return ContractError(
            f"the model '{self.name}' is of the package {self.package} {self.version}, and {reason}",
            hint=f"look for a newer {self.package}, or ask who made it",
        )


@cache
def _found() -> tuple[Mapping[str, PluginEntry], tuple[PluginFault, ...]]:
    entries: dict[str, PluginEntry] = {}
    faults: list[PluginFault] = []
    for group in (MODELS, NETWORKS):
        for point in sorted(entry_points(group=group), key=lambda each: each.name):
            package = point.dist.name if point.dist is not None else point.value
            entry = PluginEntry(point.name, group, package, point.dist.version if point.dist else "", point.value)
            known = entries.get(point.name)
            if known == entry:
                continue  # one package, seen twice on the path
            reason = _refusal(entry) if known is None else f"{known.package} adds a model of that name too"
            if reason is None:
                entries[point.name] = entry
            else:
                faults.append(PluginFault(_line(package), _line(point.name), reason))
    return entries, tuple(faults)


def _refusal(entry: PluginEntry) -> str | None:
    try:
        _name.validate_python(entry.name)
    except ValidationError:
        return "a model's name has letters and digits, joined by single - or _, and starts with a letter"
    return None if _PLACE.fullmatch(entry.place) else "it is no module:name"


def plugin_entries() -> Mapping[str, PluginEntry]:
    """Return what installed packages add, by the model's name; nothing of them is imported."""
    return _found()[0]


def plugin_faults() -> list[PluginFault]:
    """Return what cannot be used of what installed packages add; the descriptions are imported."""
    broken = [(entry, entry.fault) for entry in plugin_entries().values()]
    found = [PluginFault(entry.package, entry.name, reason) for entry, reason in broken if reason is not None]
    return [*_found()[1], *found]


def _refuse_other_words(description: str, build: str) -> None:
    if not isinstance(description, str) or not description or len(description) > 500 or not description.isprintable():
        raise ValueError("description is one sentence of at most 500 characters")
    if not isinstance(build, str) or not _PLACE.fullmatch(build):
        raise ValueError(f"build is {build!r}, which is no module:function")


def _line(said: object) -> str:
    return shown_text(" ".join(str(said).split()), 200)
