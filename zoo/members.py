"""What the zoo's members are: names, inputs and words, without the libraries that build them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from schemas.study.networks import ARCHITECTURES, Architecture
from zoo.staging.comparators import COMPARATORS
from zoo.staging.description import Comparator
from zoo.staging.inputs import Category

__all__ = ["MEMBERS", "Member", "ModelInput", "embedding_set"]

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
    """

    name: str
    inputs: tuple[ModelInput, ...]
    description: str
    citation: str | None = None
    comparator: Comparator | None = None

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
        description="A logistic regression on the scores of a network and of the combined model, both out of fold.",
        citation="10.1016/S0893-6080(05)80023-1",
    ),
    *(_comparator(each) for each in COMPARATORS.values()),
)

MEMBERS: Mapping[str, Member] = MappingProxyType({member.name: member for member in _ALL})
"""By name, in the order of the leaderboard."""


def embedding_set(model: str) -> str:
    """Return the name of the feature set that a network's embeddings are, of a model of this name."""
    return model.replace("_", "-").lower()
