"""Names of a study file that only the program knows: models of the zoo and feature sets, refused before any work."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from flows.study.model_faults import model_faults
from flows.study.template import TEMPLATE_MARKS, TEMPLATE_NAMES
from schemas.errors import ContractError
from schemas.features.sets import BUILT_IN, RESERVED_NAMES, FeatureSetRef
from schemas.nearest import nearest_words
from schemas.study.file import Study
from schemas.study.models import TABLE_KEYS
from schemas.study.toml_lines import line_of
from zoo.members import MEMBERS, embedding_set

__all__ = ["name_faults", "unfilled_faults"]


def name_faults(
    study: Study, text: str, study_file: Path, stored: Callable[[], Collection[str]] = frozenset
) -> Iterator[ContractError]:
    """Yield the fault of each model, base and feature set that nobody defines, with its line and the nearest names.

    A factor may not have the name of a column that tables for models have beside their inputs.

    Parameters
    ----------
    study : Study
        The study.
    text : str
        The study file's text, in which faults are located.
    study_file : Path
        Where it lies.
    stored : callable
        Gives the names of the store's feature sets, which a model may read too; called where it matters.
    """

    def fault(message: str, hint: str, *path: str | int) -> ContractError:
        return ContractError(message, where=f"{study_file}:{line_of(text, path)}", hint=f"{hint}; nothing was written")

    for each in model_faults(study):
        yield fault(each.message, each.hint, *each.path)
    for position, written in enumerate(study.feature_sets):
        if message := _unknown_set(study, written, ()):
            yield fault(f"feature_sets names {message}", _set_hint(written), "feature_sets", position)
    for name, model in study.models.items():
        labels = [rule.label for rule in model.factors]
        for position, label in enumerate(labels):
            if label.lower() in TABLE_KEYS or "\0" in label:
                message = f"a factor of model '{name}' is called {label!r}, as no input of a model can be"
                yield fault(message, "give it a name, name = 'x'", "models", name, "factors", position)
            elif label in labels[:position]:
                message = f"two factors of model '{name}' are called {label!r}"
                yield fault(message, "give one of them a name, name = 'x'", "models", name, "factors", position)
    for name in study.define:
        if name in RESERVED_NAMES:
            message = f"[define.{name}] takes the name of a built-in feature set"
            yield fault(message, "give your feature set another name", "define", name)
    for name, model in study.models.items():
        written = model.feature_set or ""
        if (
            written
            and _unknown_set(study, written, ())
            and (message := _unknown_set(study, written, _embeddings(study)))
            and FeatureSetRef.parse(written).name not in stored()
        ):
            yield fault(f"model '{name}' reads {message}", _set_hint(written), "models", name, "feature_set")
    compared = study.monitor.feature_set if study.monitor is not None else None
    message = _unknown_set(study, compared, ()) if compared else None
    if compared and message and FeatureSetRef.parse(compared).name not in stored():
        yield fault(f"[monitor] compares {message}", _set_hint(compared), "monitor", "feature_set")


def _embeddings(study: Study) -> list[str]:
    """Return the names of the feature sets that networks' embeddings are."""
    networks = [name for name, member in MEMBERS.items() if member.is_network]
    return [embedding_set(name) for name in (*networks, *(n for n in study.models if study.base_of(n) in networks))]


def unfilled_faults(study: Study, text: str, study_file: Path) -> Iterator[ContractError]:
    """Yield the fault of each line that still says what ``radzoo init`` wrote there for a person to replace."""
    document = study.model_dump()
    unfilled = [path for path, words in TEMPLATE_MARKS.items() if _value(document, path) == words]
    if unfilled:
        # These may be a study's own words, where its title and question are.
        unfilled += [path for path, words in TEMPLATE_NAMES.items() if _value(document, path) == words]
    for path in unfilled:
        yield ContractError(
            f"{'.'.join(path)}: '{_value(document, path)}' is the template's text",
            where=f"{study_file}:{line_of(text, path)}",
            hint="describe your study there; nothing was written",
        )


def _value(document: object, path: tuple[str, ...]) -> object:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _unknown_set(study: Study, written: str, others: Collection[str]) -> str | None:
    ref = FeatureSetRef.parse(written)
    if ref.name in study.define or ref.name in study.imported or ref.name in others:
        return None
    if ref.name in BUILT_IN and ref.version in (None, *BUILT_IN[ref.name]):
        return None
    built_in = [f"{name}@{version}" for name, versions in BUILT_IN.items() for version in versions]
    if ref.name in BUILT_IN:
        versions = ", ".join(each for each in built_in if each.startswith(f"{ref.name}@"))
        return f"feature set '{written}', a version that is not built in; there is {versions}"
    return f"feature set '{written}', which nobody defines{nearest_words(written, [*built_in, *study.define])}"


def _set_hint(written: str) -> str:
    return f"define a set of your own as [define.{FeatureSetRef.parse(written).name}], or correct the name"
