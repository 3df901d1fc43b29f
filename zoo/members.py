"""What the zoo's members are: names, inputs and words, without the libraries that build them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from schemas.keys import sql_name
from schemas.study.models import RADIOMICS_OPTIONS
from schemas.study.networks import ARCHITECTURES, Architecture
from zoo.plugins import PluginEntry, PluginFault, PluginModel, plugin_entries, plugin_faults
from zoo.staging.comparators import COMPARATORS
from zoo.staging.description import Comparator
from zoo.staging.inputs import Category

__all__ = ["BUILT_IN_MEMBERS", "MEMBERS", "Member", "ModelInput", "embedding_set", "package_faults"]

ModelInput = Literal["radiomics", "clinical", "comparator", "regions", "embeddings"]

_NEEDS: Mapping[ModelInput, str] = MappingProxyType(
    {"clinical": "factors", "radiomics": "a feature set", "regions": "a set of regions"}
)


@dataclass(frozen=True)
class Member:
    """One member of the zoo, described.

    Attributes
    ----------
    name : str
        As on the command line and in the leaderboard.
    inputs : tuple of {'radiomics', 'clinical', 'comparator', 'regions', 'embeddings'}
        The groups of columns or arrays that the model reads, in the order in which they are given to it.
    description : str
        One sentence.
    citation : str or None
        DOI of the method, where it has one source.
    comparator : Comparator or None
        The published stage or score that gives the one input column, where it is one.
    added_by : PluginEntry or None
        What adds it, where it is of another package.
    """

    name: str
    inputs: tuple[ModelInput, ...]
    description: str
    citation: str | None = None
    comparator: Comparator | None = None
    added_by: PluginEntry | None = None

    @property
    def package(self) -> str | None:
        """Return the name of the package that adds it; None where it is one of our own."""
        return None if self.added_by is None else self.added_by.package

    @property
    def options(self) -> frozenset[str]:
        """Return which of the settings that not every model reads this one reads."""
        if self.added_by is not None:
            described = self.added_by.described
            return frozenset(described.options if isinstance(described, PluginModel) else ("network",))
        radiomics = RADIOMICS_OPTIONS if "radiomics" in self.inputs else ()
        clinical = ("missing",) if "clinical" in self.inputs else ()
        return frozenset((*radiomics, *clinical, *(("network",) if self.is_network else ())))

    @property
    def is_network(self) -> bool:
        """Return whether it reads regions, by a network that has class activation maps and embeddings."""
        return "regions" in self.inputs

    @property
    def reads(self) -> str:
        """Return its inputs in words."""
        words = {"comparator": "clinical variables", "clinical": "clinical factors"}
        return ", ".join(words.get(each, each) for each in self.inputs)

    @property
    def needs(self) -> str:
        """Return what the study file must have for it; every member needs an outcome and a split besides."""
        if self.comparator is not None:
            return ", ".join(self.comparator.inputs)
        return ", ".join(_NEEDS[each] for each in self.inputs)

    @property
    def units(self) -> dict[str, str | None]:
        """Return the clinical variables that a published stage or score reads, with units; categories have none."""
        inputs = self.comparator.inputs if self.comparator is not None else {}
        return {name: None if isinstance(each, Category) else each.unit for name, each in inputs.items()}


def _network(architecture: Architecture) -> Member:
    return Member(
        name=f"dl_{architecture}",
        inputs=("regions",),
        description=f"{architecture.replace('resnet', 'ResNet-')} on the regions of all phases, trained from scratch.",
        citation="10.1109/CVPR.2016.90",
    )


def _comparator(comparator: Comparator) -> Member:
    return Member(
        name=comparator.name,
        inputs=("comparator",),
        description=f"{comparator.title}, as published; only its map to a probability is learnt.",
        citation=comparator.doi,
        comparator=comparator,
    )


_ALL = (
    Member(
        name="cr",
        inputs=("clinical",),
        description="Clinical logistic regression: univariable tests, then backward elimination.",
    ),
    Member(
        name="radiomics_lr",
        inputs=("radiomics",),
        description="Univariable tests and LASSO on radiomics, then an L2-penalised logistic regression.",
        citation="10.18637/jss.v033.i01",
    ),
    Member(
        name="radiomics_svm",
        inputs=("radiomics",),
        description="The same selection, then a support vector machine with a radial kernel, calibrated.",
    ),
    Member(
        name="radiomics_knn",
        inputs=("radiomics",),
        description="The same selection, then nearest neighbours.",
    ),
    Member(
        name="radiomics_xgb",
        inputs=("radiomics",),
        description="The same selection, then gradient-boosted trees.",
        citation="10.1145/2939672.2939785",
    ),
    Member(
        name="radiomics_mlp",
        inputs=("radiomics",),
        description="The same selection, then a perceptron with one hidden layer.",
    ),
    Member(
        name="rcr",
        inputs=("clinical", "radiomics"),
        description="Selected radiomics features and the clinical model's factors, in a logistic regression.",
    ),
    *(_network(architecture) for architecture in ARCHITECTURES),
    Member(
        name="dlrcr",
        inputs=("clinical", "radiomics", "regions"),
        description="A network's features, selected radiomics features and clinical factors in one layer, "
        "trained jointly.",
    ),
    Member(
        name="late_fusion",
        inputs=("clinical", "radiomics", "regions"),
        description="The mean score of a network and the combined model, where each is better than chance out of fold.",
        citation="10.1016/S0893-6080(05)80023-1",
    ),
    *(_comparator(each) for each in COMPARATORS.values()),
)

BUILT_IN_MEMBERS: Mapping[str, Member] = MappingProxyType({member.name: member for member in _ALL})
"""Our own, by name, in the order of the leaderboard."""
_TAKEN = frozenset(sql_name(name) for name in BUILT_IN_MEMBERS)


def _added() -> dict[str, PluginEntry]:
    return {name: entry for name, entry in plugin_entries().items() if sql_name(name) not in _TAKEN}


class _Members(Mapping[str, Member]):
    """All members: radzoo's own, and those of installed packages, which are looked for where the others do not do."""

    def __getitem__(self, name: str) -> Member:
        if name in BUILT_IN_MEMBERS:
            return BUILT_IN_MEMBERS[name]
        return _described(_added()[name])

    def __contains__(self, name: object) -> bool:
        return name in BUILT_IN_MEMBERS or name in _added()

    def __iter__(self) -> Iterator[str]:
        yield from BUILT_IN_MEMBERS
        # Those that cannot be used are no members: `package_faults` names them.
        yield from (name for name, entry in _added().items() if entry.fault is None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _described(entry: PluginEntry) -> Member:
    described = entry.described
    return Member(
        name=entry.name,
        inputs=described.inputs if isinstance(described, PluginModel) else ("regions",),
        description=described.description,
        citation=described.citation,
        added_by=entry,
    )


MEMBERS: Mapping[str, Member] = _Members()
"""By name, radzoo's own first.

Raises
------
ContractError
    Where a member is looked up whose package cannot be loaded.
"""


def package_faults() -> list[PluginFault]:
    """Return what installed packages add and cannot be used."""
    taken = [entry for name, entry in plugin_entries().items() if sql_name(name) in _TAKEN]
    named = [PluginFault(each.package, each.name, "there is a built-in model of that name") for each in taken]
    return [*named, *(each for each in plugin_faults() if sql_name(each.name) not in _TAKEN)]


def embedding_set(model: str) -> str:
    """Return the name of the feature set that a network's embeddings are, of a model of this name."""
    return model.replace("_", "-").lower()
