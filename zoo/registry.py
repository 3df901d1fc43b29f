"""The zoo's members: a name, the inputs it reads and the function that builds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Literal

from sklearn.base import BaseEstimator

from schemas.errors import NotFoundError
from schemas.model_settings import ModelSettings
from schemas.network_settings import ARCHITECTURES, Architecture, NetworkSettings
from zoo.classifiers import (
    DEFAULT_SETTINGS,
    combined,
    radiomics_knn,
    radiomics_lr,
    radiomics_mlp,
    radiomics_svm,
    radiomics_xgb,
)
from zoo.clinical import ClinicalLogisticRegression
from zoo.fusion import dlrcr
from zoo.late_fusion import late_fusion
from zoo.network_classifier import NetworkClassifier
from zoo.staging.description import Comparator
from zoo.staging.estimators import ComparatorClassifier
from zoo.staging.frame import COMPARATORS

__all__ = ["REGISTRY", "ModelInput", "ModelSpec", "model_names", "model_spec"]

ModelInput = Literal["radiomics", "clinical", "comparator", "regions", "embeddings"]


@dataclass(frozen=True)
class ModelSpec:
    """One member of the zoo.

    Attributes
    ----------
    name : str
        As on the command line and in the leaderboard.
    inputs : tuple of {'radiomics', 'clinical', 'comparator', 'regions', 'embeddings'}
        The groups of columns or arrays that the model reads, in the order in which they are given to it.
    build : callable
        ``build(settings, random_state=...)`` returns the unfitted estimator: what the study says about the
        model (`ModelSettings`, defaults where it is left out) and the seed of all that is drawn. A builder takes
        from the settings what concerns the estimator (``correction``, ``lasso_rule``, ``harmonise``); what decides the
        model's table (factors, phases, split, ...) is the matrix's business.
    description : str
        One sentence.
    citation : str or None
        DOI of the method, where it has one source.
    comparator : Comparator or None
        The published stage or score that gives the one input column, where it is one.
    """

    name: str
    inputs: tuple[ModelInput, ...]
    build: Callable[..., BaseEstimator]
    description: str
    citation: str | None = None
    comparator: Comparator | None = None

    @property
    def is_network(self) -> bool:
        """Return whether it reads regions, by a network that has class activation maps and embeddings."""
        return "regions" in self.inputs


# The same call builds every member; this one draws nothing.
def _cr(settings: ModelSettings = DEFAULT_SETTINGS, random_state: int = 0) -> ClinicalLogisticRegression:
    return ClinicalLogisticRegression(impute=settings.imputes)


def _network_spec(architecture: Architecture) -> ModelSpec:
    """Return the member that trains one network on the regions of all phases."""

    def build(settings: ModelSettings = DEFAULT_SETTINGS, random_state: int = 0) -> NetworkClassifier:
        return NetworkClassifier(architecture, settings.network or NetworkSettings(), random_state)

    return ModelSpec(
        name=f"dl_{architecture}",
        inputs=("regions",),
        build=build,
        description=f"{architecture.replace('resnet', 'ResNet-')} on the regions of all phases, trained from scratch.",
        citation="10.1109/CVPR.2016.90",
    )


def _comparator_spec(comparator: Comparator) -> ModelSpec:
    """Return the member that judges a published stage or score, its direction as published."""

    def build(settings: ModelSettings = DEFAULT_SETTINGS, random_state: int = 0) -> ComparatorClassifier:
        return ComparatorClassifier(worse=comparator.worse)

    return ModelSpec(
        name=comparator.name,
        inputs=("comparator",),
        build=build,
        description=f"{comparator.title}, as published; only its map to a probability is learnt.",
        citation=comparator.doi,
        comparator=comparator,
    )


_MEMBERS = (
    ModelSpec(
        name="cr",
        inputs=("clinical",),
        build=_cr,
        description="Clinical logistic regression: univariable tests, then backward elimination.",
    ),
    ModelSpec(
        name="radiomics_lr",
        inputs=("radiomics",),
        build=radiomics_lr,
        description="Univariable tests and LASSO on radiomics, then an L2-penalised logistic regression.",
        citation="10.18637/jss.v033.i01",
    ),
    ModelSpec(
        name="radiomics_svm",
        inputs=("radiomics",),
        build=radiomics_svm,
        description="The same selection, then a support vector machine with a radial kernel, calibrated.",
    ),
    ModelSpec(
        name="radiomics_knn",
        inputs=("radiomics",),
        build=radiomics_knn,
        description="The same selection, then nearest neighbours.",
    ),
    ModelSpec(
        name="radiomics_xgb",
        inputs=("radiomics",),
        build=radiomics_xgb,
        description="The same selection, then gradient-boosted trees.",
        citation="10.1145/2939672.2939785",
    ),
    ModelSpec(
        name="radiomics_mlp",
        inputs=("radiomics",),
        build=radiomics_mlp,
        description="The same selection, then a perceptron with one hidden layer.",
    ),
    ModelSpec(
        name="rcr",
        inputs=("clinical", "radiomics"),
        build=combined,
        description="Selected radiomics features and the clinical model's factors, in a logistic regression.",
    ),
    *(_network_spec(architecture) for architecture in ARCHITECTURES),
    ModelSpec(
        name="dlrcr",
        inputs=("clinical", "radiomics", "regions"),
        build=dlrcr,
        description="A network's features, selected radiomics features and clinical factors in one layer, "
        "trained jointly.",
    ),
    ModelSpec(
        name="late_fusion",
        inputs=("clinical", "radiomics", "regions"),
        build=late_fusion,
        description="A logistic regression on the scores of a network and of the combined model, both out of fold.",
        citation="10.1016/S0893-6080(05)80023-1",
    ),
    *(_comparator_spec(each) for each in COMPARATORS.values()),
)

REGISTRY: Mapping[str, ModelSpec] = MappingProxyType({member.name: member for member in _MEMBERS})


def model_names() -> tuple[str, ...]:
    """Return the names of all members, in the registry's order."""
    return tuple(REGISTRY)


def model_spec(name: str) -> ModelSpec:
    """Return the member of that name.

    Raises
    ------
    NotFoundError
        If there is none; the message has the nearest names, the next step all of them.
    """
    try:
        return REGISTRY[name]
    except KeyError:
        nearest = get_close_matches(name, REGISTRY, n=3, cutoff=0.5)
        listed = f"; nearest: {', '.join(nearest)}" if nearest else ""
        raise NotFoundError(
            f"the zoo has no model '{name}'{listed}", hint=f"take one of: {', '.join(REGISTRY)}"
        ) from None
