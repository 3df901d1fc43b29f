"""The zoo's members with the functions that build them: a member is an entry in `zoo.members` and one here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from sklearn.base import BaseEstimator, is_classifier

from schemas.errors import NotFoundError, RadzooError
from schemas.nearest import nearest_words
from schemas.shown_text import shown_text
from schemas.study.file import Study
from schemas.study.models import ModelSettings
from schemas.study.networks import ARCHITECTURES, NetworkSettings
from zoo.logistic.clinical import ClinicalLogisticRegression
from zoo.logistic.recalibrated import RecalibratedClassifier
from zoo.members import BUILT_IN_MEMBERS, MEMBERS, Member, ModelInput
from zoo.networks.classifier import NetworkClassifier
from zoo.networks.fusion import dlrcr
from zoo.networks.late_fusion import late_fusion
from zoo.radiomics.pipelines import (
    DEFAULT_SETTINGS,
    combined,
    radiomics_knn,
    radiomics_lr,
    radiomics_mlp,
    radiomics_svm,
    radiomics_xgb,
)
from zoo.saving.folders import recorded_base
from zoo.saving.package import installed_package, recorded_package
from zoo.staging.comparators import COMPARATORS
from zoo.staging.description import Comparator
from zoo.staging.estimators import ComparatorClassifier

__all__ = [
    "REGISTRY",
    "ModelInput",
    "ModelSpec",
    "model_names",
    "model_spec",
    "recorded_spec",
    "study_spec",
]

Build = Callable[..., BaseEstimator]


@dataclass(frozen=True, kw_only=True)
class ModelSpec(Member):
    """One member of the zoo, or a variant of one in a study: the same under a name of its own.

    Attributes
    ----------
    build : callable
        ``build(settings, random_state=...)`` returns the unfitted estimator: what the study says about the
        model (`ModelSettings`, defaults where it is left out) and the seed of all that is drawn. A builder takes
        from the settings what concerns the estimator (``correction``, ``lasso_rule``, ``harmonise``); what decides the
        model's table (factors, phases, split, ...) is the matrix's business.
    base : str or None
        The member that a variant is built from.
    """

    build: Build
    base: str | None = None


def _cr(settings: ModelSettings = DEFAULT_SETTINGS, random_state: int = 0) -> RecalibratedClassifier:
    regression = ClinicalLogisticRegression(impute=settings.imputes)
    # Ten draws of folds take less than one selection of radiomics features.
    return RecalibratedClassifier(regression, random_state=random_state, repeats=10)


def _network(architecture: str) -> Build:
    """Return the builder of the member that trains one network on the regions of all phases."""

    def build(settings: ModelSettings = DEFAULT_SETTINGS, random_state: int = 0) -> NetworkClassifier:
        return NetworkClassifier(architecture, settings.network or NetworkSettings(), random_state)

    return build


def _comparator(comparator: Comparator) -> Build:
    """Return the builder of the member that judges a published stage or score, its direction as published."""

    def build(settings: ModelSettings = DEFAULT_SETTINGS, random_state: int = 0) -> ComparatorClassifier:
        return ComparatorClassifier(worse=comparator.worse)

    return build


_BUILDERS: Mapping[str, Build] = {
    "cr": _cr,
    "radiomics_lr": radiomics_lr,
    "radiomics_svm": radiomics_svm,
    "radiomics_knn": radiomics_knn,
    "radiomics_xgb": radiomics_xgb,
    "radiomics_mlp": radiomics_mlp,
    "rcr": combined,
    **{f"dl_{architecture}": _network(architecture) for architecture in ARCHITECTURES},
    "dlrcr": dlrcr,
    "late_fusion": late_fusion,
    **{name: _comparator(comparator) for name, comparator in COMPARATORS.items()},
}

_BUILT_IN: Mapping[str, ModelSpec] = MappingProxyType(
    {name: ModelSpec(**vars(member), build=_BUILDERS[name]) for name, member in BUILT_IN_MEMBERS.items()}
)


class _Registry(Mapping[str, ModelSpec]):
    """All members with their builders, those of installed packages behind radzoo's own."""

    def __getitem__(self, name: str) -> ModelSpec:
        if name in _BUILT_IN:
            return _BUILT_IN[name]
        member = MEMBERS[name]
        build = _network(name) if member.is_network else _of_package(member)
        return ModelSpec(**vars(member), build=build)

    def __contains__(self, name: object) -> bool:
        return name in MEMBERS

    def __iter__(self) -> Iterator[str]:
        return iter(MEMBERS)

    def __len__(self) -> int:
        return len(MEMBERS)


def _of_package(member: Member) -> Build:
    """Return the builder of a member that another package adds; what it builds is looked at."""
    entry = member.added_by
    if entry is None:
        raise AssertionError("radzoo's own members are in _BUILDERS")

    def build(settings: ModelSettings = DEFAULT_SETTINGS, random_state: int = 0) -> BaseEstimator:
        builder = entry.builder()
        try:
            estimator = builder(settings, random_state=random_state)
        except RadzooError:
            raise
        except Exception as error:  # whatever its code does
            raise entry.unfit(f"its builder fails: {type(error).__name__}: {shown_text(str(error), 200)}") from error
        if not isinstance(estimator, BaseEstimator) or not is_classifier(estimator):
            raise entry.unfit(f"it builds a {type(estimator).__name__}, which is no classifier of scikit-learn's kind")
        return estimator

    return build


REGISTRY: Mapping[str, ModelSpec] = _Registry()


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
        raise NotFoundError(
            f"the zoo has no model '{name}'{nearest_words(name, REGISTRY)}",
            hint=f"take one of: {', '.join(REGISTRY)}, or install the package that adds it",
        ) from None


def study_spec(study: Study, model: str) -> ModelSpec:
    """Return the member that a study's model is built from, under the model's own name.

    A member that the study file does not name is meant by its own name too.

    Raises
    ------
    NotFoundError
        If the study has no such model and the zoo none of its base's name.
    """
    base = study.base_of(model)
    if model in study.models and base not in REGISTRY:
        said = f"'{model}'" if base == model else f"'{model}' with the base '{base}'"
        raise NotFoundError(
            f"study '{study.id}' names {said}, which the zoo does not have: its package is not installed",
            hint=f"install the package that adds '{base}', or take [models.{model}] out of the study file",
        )
    if base != model:
        return _variant(model, base)
    if model not in REGISTRY:
        known = [*study.models, *REGISTRY]
        raise NotFoundError(
            f"neither study '{study.id}' nor the zoo has a model '{model}'{nearest_words(model, known)}",
            hint=f"take one of: {', '.join(dict.fromkeys(known))}, or install the package that adds it",
        )
    return REGISTRY[model]


def recorded_spec(row: Mapping[str, Any]) -> ModelSpec:
    """Return the member that a model of the catalogue was built from, under the model's name, given its row.

    Raises
    ------
    NotFoundError
        If the zoo has no such member.
    ContractError
        If it is of a package that is not installed.
    """
    recorded = recorded_package(json.loads(row["summary"] or "{}"), str(row["path"]))
    if recorded is not None:
        installed_package(recorded, str(row["path"]))
    base = recorded_base(row)
    return model_spec(row["model"]) if base is None else _variant(row["model"], base)


def _variant(name: str, base: str) -> ModelSpec:
    return replace(model_spec(base), name=name, base=base)
