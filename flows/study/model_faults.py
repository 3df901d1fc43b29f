"""Models of a study file that the zoo cannot make: names and bases that nobody knows, options that have no use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from schemas.errors import ContractError
from schemas.features.sets import RESERVED_NAMES
from schemas.keys import FeatureSetName, sql_name
from schemas.nearest import nearest_words
from schemas.study.file import Study
from schemas.study.models import RADIOMICS_OPTIONS, ModelSettings
from zoo.members import BUILT_IN_MEMBERS, MEMBERS, Member, ModelInput, embedding_set

__all__ = ["ModelFault", "known_models", "model_faults"]

_EXAMS = ("exams", "mean")
_feature_set: TypeAdapter[str] = TypeAdapter(FeatureSetName)


class ModelFault(NamedTuple):
    """What is wrong with a model of a study file."""

    message: str
    hint: str
    path: tuple[str | int, ...]
    """Where it stands in the file."""


def known_models() -> list[str]:
    """Return the names of the zoo's members, without loading the libraries that train them."""
    return sorted(MEMBERS)


def model_faults(study: Study) -> Iterator[ModelFault]:
    """Yield the fault of each model that names no member and no base, and of each setting that its member ignores."""
    for name, model in study.models.items():
        at = ("models", name)
        if model.base is not None and model.base not in MEMBERS:
            yield _unknown_base(study, name, model.base)
        elif model.base is not None and name in MEMBERS:
            message = f"'{name}' is itself a member of the zoo, not a variant of '{model.base}'"
            yield ModelFault(message, "give the variant a name of its own", (*at, "base"))
        elif model.base is None and name not in MEMBERS:
            message = f"the zoo has no model '{name}'{nearest_words(name, known_models())}"
            yield ModelFault(message, f'{_one_of()}, or build it from one of them: base = "radiomics_lr"', at)
        else:
            yield from _of_member(study, name, model)
    yield from _alike(study)


def _of_member(study: Study, name: str, model: ModelSettings) -> Iterator[ModelFault]:
    """Yield the faults of a model whose member is known: it may be of a package that cannot be loaded."""
    try:
        member = MEMBERS[model.base or name]
    except ContractError as error:
        yield ModelFault(error.message, error.hint or "", ("models", name))
        return
    yield from _without_use(name, model, member)
    yield from _taken_embedding_set(study, name, member)
    if "regions" in member.inputs and study.combination != "none":
        table, use = ("lesions", study.lesions.use) if study.lesions and study.lesions.combination != "none" else _EXAMS
        message = f"model '{name}' reads regions of images, and [{table}] averages several (use = \"{use}\")"
        hint = f"leave the model out, or choose one under [{table}]: images have no average"
        yield ModelFault(message, hint, ("models", name))


def _unknown_base(study: Study, name: str, base: str) -> ModelFault:
    at = ("models", name, "base")
    of = study.models[base].base if base in study.models else None
    if of is not None:
        message = f"model '{name}': its base '{base}' is a variant itself, of '{of}'"
        return ModelFault(message, f'a base is a member of the zoo: base = "{of}"', at)
    message = f"model '{name}': the zoo has no model '{base}' that it could be built from"
    return ModelFault(message + nearest_words(base, known_models()), _one_of(), at)


def _one_of() -> str:
    return f"name one of {', '.join(known_models())}"


def _alike(study: Study) -> Iterator[ModelFault]:
    """Yield variants whose names differ from another model's in case, ``-`` and ``_`` alone: files and SQL mix them."""
    if not any(model.base for model in study.models.values()):
        return
    known = {sql_name(name): name for name in MEMBERS}
    for name, model in study.models.items():
        other = known.setdefault(sql_name(name), name)
        if other != name and model.base is not None:
            message = f"the names of the models '{name}' and '{other}' differ in case, - or _ alone"
            yield ModelFault(message, "give the variant another name", ("models", name))


def _taken_embedding_set(study: Study, name: str, member: Member) -> Iterator[ModelFault]:
    """Yield the fault of a network whose embeddings would be a feature set of a name that has a use."""
    if name in BUILT_IN_MEMBERS or member.inputs != ("regions",):
        return
    chosen = embedding_set(name)
    try:
        _feature_set.validate_python(chosen)
        is_free = chosen not in RESERVED_NAMES and chosen not in study.define and chosen not in study.imported
    except ValidationError:
        is_free = False
    if not is_free:
        message = f"the embeddings of the network '{name}' would be the feature set '{chosen}', a name that is taken"
        hint = "give the variant another name" if name != member.name else f'give it one: base = "{name}"'
        yield ModelFault(message, hint, ("models", name))


def _without_use(name: str, model: ModelSettings, member: Member) -> Iterator[ModelFault]:
    """Yield the settings of a model that its member does not read."""
    default = ModelSettings()
    said = f"model '{name}'" + ("" if member.name == name else f", a variant of '{member.name}',")

    def fault(key: str, lacks: str, wanted: ModelInput) -> ModelFault:
        message = f"{said} {lacks}, only {', '.join(_readers(wanted))} do"
        return ModelFault(message, f"take '{key}' out of [models.{name}]", ("models", name, key))

    lacks: dict[str, tuple[str, ModelInput]] = {
        "missing": ("reads no clinical factors", "clinical"),
        "network": ("trains no network", "regions"),
        **dict.fromkeys(RADIOMICS_OPTIONS, ("selects no radiomics features", "radiomics")),
    }
    for key, (reason, wanted) in lacks.items():
        if getattr(model, key) == getattr(default, key) or key in member.options:
            continue
        if member.package is not None:
            message = f"{said} does not read '{key}': its package {member.package} says so"
            yield ModelFault(message, f"take '{key}' out of [models.{name}]", ("models", name, key))
        else:
            yield fault(key, reason, wanted)


def _readers(wanted: ModelInput) -> Sequence[str]:
    return sorted(name for name, member in MEMBERS.items() if wanted in member.inputs)
