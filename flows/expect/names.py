"""What expectations name: views that nobody has are faults of the study file; views of features wait for a refresh."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from flows.expect.asked import AskedProcess, asked_process
from flows.expect.questions import question_of
from flows.privacy.identities import Identities, UnknownIdError
from schemas.errors import ContractError, RadzooError
from schemas.expectations.rule import Expectation
from schemas.features.sets import FeatureSetRef
from schemas.nearest import nearest_words
from schemas.plain_keys import RESERVED_VIEWS, sql_name
from schemas.study.file import Study
from schemas.study.toml_lines import line_of
from store.analyst.analyst_views import EVERY_TABLE, tables_of
from store.analyst.named import Named
from store.analyst.view_parts import fixed_view, fixed_view_names

__all__ = ["identity_faults", "nobody_fault", "quarantines_nobody", "reads_features", "sql_faults"]

_OF_FEATURES = frozenset(["extractions", "study_extractions", "segments", "failures"])
"""Tables that a refresh writes."""
_VIEWS_OF_FEATURES = frozenset(["radiomics_long", "radiomics_primary", "embeddings", "regions", "region_arrays"])
_QUOTED = re.compile(r"'((?:[^']|'')*)'")
_VERSION = re.compile(r"_v[1-9][0-9]*$")


def sql_faults(
    study: Study, text: str, study_file: Path, stored: Callable[[], Collection[str]]
) -> Iterator[ContractError]:
    """Yield the fault of each expectation whose SQL cannot be asked, with its line.

    A question is read in a process without rights. Where it names views of every store alone, its columns are looked
    up too; columns of features are known when there are any.

    Parameters
    ----------
    study : Study
        The study.
    text : str
        The study file's text, in which faults are located.
    study_file : Path
        Where it lies.
    stored : callable
        Gives the names of the store's feature sets, without versions.
    """
    written = {name: rule for name, rule in study.expectations.items() if rule.sql is not None}
    if not written:
        return
    with asked_process(None, by_fork=True) as process:
        for name, rule in written.items():
            place = f"{study_file}:{line_of(text, ('expectations', name, 'sql'))}"
            try:
                columns = _columns(process, study, rule, stored)
            except RadzooError as error:
                hint = f"{error.hint or 'correct the question'}; nothing was written"
                yield ContractError(f"expectation '{name}': {error.message}", where=place, hint=hint)
                continue
            if columns is not None and quarantines_nobody(rule, columns):
                yield nobody_fault(name, place)


def quarantines_nobody(rule: Expectation, columns: Collection[str]) -> bool:
    """Return whether an expectation is to quarantine, and nothing in its rows says whom."""
    return rule.policy == "quarantine" and "patient" not in {name.lower() for name in columns}


def nobody_fault(name: str, place: str) -> ContractError:
    """Return the fault of an expectation that is to quarantine and whose rows do not say whom."""
    return ContractError(
        f"expectation '{name}' is to quarantine, and its rows have no column patient",
        where=place,
        hint='select patient too, or take policy = "refuse" or "warn"; nothing was written',
    )


def identity_faults(
    study: Study, text: str, study_file: Path, identities: Identities, patients: Collection[str]
) -> Iterator[ContractError]:
    """Yield the fault of each expectation that names a patient by the id of the tables, which may not be stored.

    Parameters
    ----------
    study : Study
        The study.
    text : str
        The study file's text, in which faults are located.
    study_file : Path
        Where it lies.
    identities : Identities
        Who a patient of the tables is in the store.
    patients : collection of str
        The study's, as the store calls them.
    """
    if not identities.is_private:
        return
    there = set(patients)
    for name, rule in study.expectations.items():
        texts = {"sql": rule.sql or "", "description": rule.description, "": name}
        quoted = {"sql": _QUOTED.findall(rule.sql or ""), "description": rule.description.split(), "": []}
        for key, said in texts.items():
            words = {*_words(said), *(word.strip(".,;:()\"'") for word in quoted[key])}
            if any(_stored(identities, word) in there for word in words):
                yield ContractError(
                    f"expectation '{name}' names a patient by an id that [privacy] keeps out of the store",
                    where=f"{study_file}:{line_of(text, ('expectations', name, *([key] if key else [])))}",
                    hint="leave it out; views have pseudonyms; nothing was written",
                )


def _words(text: str) -> Iterator[str]:
    """Yield what may be an id in a text: its words, and their parts between hyphens and underscores.

    A number alone is none: a limit of 12 is no patient 12, unless it stands in quotation marks or in a description.
    """
    for word in re.findall(r"[\w-]+", text):
        for part in {word, *re.split(r"[-_]", word)}:
            if not part.isdecimal():
                yield part


def _stored(identities: Identities, written: str) -> str | None:
    try:
        return identities.stored(written) if identities.pseudonym(written) != written else None
    except UnknownIdError:
        return None


def _columns(
    process: AskedProcess, study: Study, rule: Expectation, stored: Callable[[], Collection[str]]
) -> tuple[str, ...] | None:
    question = question_of(rule, study)
    named = process.names(question)
    if not named.lists_columns:
        for name in sorted(named.views - named.own):
            if not _is_known(name, study, stored):
                known = [*RESERVED_VIEWS, *(_of_study(study))]
                raise ContractError(
                    f"there is no view '{name}'{nearest_words(name, known)}",
                    hint="radzoo sql 'show tables' lists what can be asked",
                )
        if unknown := sorted(named.tables - set(EVERY_TABLE)):
            raise ContractError(
                f"there is no table 'catalogue.{unknown[0]}'{nearest_words(unknown[0], EVERY_TABLE)}",
                hint="radzoo sql 'show tables' lists what can be asked",
            )
    return process.columns(question, named)


def _is_known(name: str, study: Study, stored: Callable[[], Collection[str]]) -> bool:
    if name in RESERVED_VIEWS or name.startswith("cohort_"):
        return True
    bare = _VERSION.sub("", name)
    return bare in _of_study(study) or bare in {sql_name(each) for each in stored()}


def _of_study(study: Study) -> set[str]:
    """Return the names of the views, without versions, of what a study computes and imports."""
    return _computed(study) | {sql_name(each) for each in study.imported}


def _computed(study: Study) -> set[str]:
    return {sql_name(FeatureSetRef.parse(each).name) for each in study.feature_sets} | set(map(sql_name, study.define))


def reads_features(named: Named, study: Study, computed: Collection[str]) -> bool:
    """Return whether an answer depends on what a refresh computes.

    Parameters
    ----------
    named : Named
        What the question names.
    study : Study
        Whose it is.
    computed : collection of str
        The names, without versions, of the store's feature sets that are computed.
    """
    if not study.feature_sets:
        return False
    if named.lists_columns or not named.tables.isdisjoint(_OF_FEATURES):
        return True
    own = _computed(study) | set(map(sql_name, computed))
    for name in named.views - named.own:
        if name in _VIEWS_OF_FEATURES or _VERSION.sub("", name) in own:
            return True
        if name in fixed_view_names() and _reads(name):
            return True
    return False


def _reads(name: str) -> bool:
    view = fixed_view(name)
    return not _OF_FEATURES.isdisjoint(tables_of([view])) or any(map(_reads, view.views))
