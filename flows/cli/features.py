"""The verbs about features: list, search, describe, diff, coverage, stability, landmarks."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from flows.cli.answers.features import (
    column_text,
    coverage_text,
    difference_text,
    found_text,
    list_text,
    set_text,
    stability_text,
)
from flows.cli.outcome import CommandResult, Context, Workers
from schemas.errors import UsageError
from store.analyst.query import snapshot_connection
from store.dictionary.coverage import study_coverage
from store.dictionary.difference import feature_set_difference
from store.dictionary.feature_sets import described_column, described_feature_set, feature_set_rows, named_feature_set
from store.dictionary.search import found_features
from store.history.snapshot import Snapshot, refuse_unknown_study
from store.home import Store

__all__ = ["coverage", "describe", "diff", "landmarks", "list", "search", "stability"]

_WITH_FAILURES = 5

Shared = Annotated[Context, Parameter(parse=False)]


def list(  # noqa: A001  (the verb's name)
    *, tag: str | None = None, owner: str | None = None, context: Shared
) -> CommandResult:
    """List the feature sets: version, kind, features, extractions, the studies that use them.

    Parameters
    ----------
    tag
        Only those that have this tag (radzoo store describe).
    owner
        Only those of this owner.

    Examples
    --------
    radzoo features list
    radzoo features list --tag liver
    """
    with snapshot_connection(Snapshot(Store(context.store))) as connection:
        rows = feature_set_rows(connection)
    found = [row for row in rows if tag in (None, *(row["tags"] or ())) and owner in (None, row["owner"])]
    if rows and not found:
        asked = " and ".join(text for text in (tag and f"tag '{tag}'", owner and f"owner '{owner}'") if text)
        return CommandResult(f"no feature set has the {asked}: radzoo store describe gives them", found)
    return CommandResult(list_text(found), found)


def search(
    *words: str,
    all: Annotated[bool, Parameter(negative="")] = False,  # noqa: A002  (the option's name)
    context: Shared,
) -> CommandResult:
    """Search the dictionary of features by name, family, IBSI code, unit or definition.

    Parameters
    ----------
    words
        What every feature found must have, in any of these.
    all
        List every column instead of one line per feature.

    Examples
    --------
    radzoo features search entropy
    radzoo features search glcm wavelet --all
    """
    if not words:
        raise UsageError("search for what?", hint="radzoo features search entropy")
    found = found_features(Snapshot(Store(context.store)), words)
    return CommandResult(found_text(found, every_column=all), found)


def describe(feature_set: str, column: str | None = None, /, *, context: Shared) -> CommandResult:
    """Describe a feature set, or one of its columns.

    Parameters
    ----------
    feature_set
        A name, which means its newest version, or name@N.
    column
        A column's name, such as wavelet-LLH_glcm_Idm.

    Examples
    --------
    radzoo features describe hcc-cemri
    radzoo features describe hcc-cemri@1 wavelet-LLH_glcm_Idm
    """
    # Imported here: the other verbs do not need the study file's schema.
    from flows.refresh.set_use import column_preparation, set_use

    snapshot = Snapshot(Store(context.store))
    row = named_feature_set(snapshot, feature_set)
    with snapshot_connection(snapshot) as connection:
        if column is not None:
            of_column = described_column(connection, row["feature_set"], column)
            prepared = column_preparation(row, column)
            return CommandResult(column_text(of_column, prepared), {**vars(of_column), "preparation": prepared})
        of_set = described_feature_set(connection, row["feature_set"])
    use = set_use(snapshot, row)
    return CommandResult(set_text(of_set, use), {**vars(of_set), **vars(use)})


def diff(before: str, after: str, /, *, limit: int = 10, context: Shared) -> CommandResult:
    """Show what two feature sets do differently, and how far their values lie apart.

    Values are compared where both sets have a row of the same image and the same mask.

    Parameters
    ----------
    before
        The one feature set, name or name@N.
    after
        The other one.
    limit
        How many of the columns that differ most to show.

    Examples
    --------
    radzoo features diff hcc-cemri@1 hcc-cemri@2
    """
    snapshot = Snapshot(Store(context.store))
    names = [named_feature_set(snapshot, each)["feature_set"] for each in (before, after)]
    with snapshot_connection(snapshot) as connection:
        found = feature_set_difference(connection, *names)
    return CommandResult(difference_text(found, limit), found)


def coverage(*, study: str | None = None, context: Shared) -> CommandResult:
    """Count, per study, feature set and phase, the masks with a row, those without, and why.

    Parameters
    ----------
    study
        A study's id; all studies where not given.

    Examples
    --------
    radzoo features coverage --study my-study
    """
    snapshot = Snapshot(Store(context.store))
    if study is not None:
        refuse_unknown_study(snapshot, study)
    with snapshot_connection(snapshot) as connection:
        found = study_coverage(connection, study)
    return CommandResult(coverage_text(found), found)


def stability(
    feature_set: str,
    /,
    *,
    study: str | None = None,
    split: str | None = None,
    kind: Literal["intra", "inter"] | None = None,
    minimum: Annotated[float, Parameter(validator=Number(gte=-1, lte=1))] = 0.9,
    bound: Literal["estimate", "lower"] = "estimate",
    all: Annotated[bool, Parameter(negative="")] = False,  # noqa: A002  (the option's name)
    context: Shared,
) -> CommandResult:
    """Count the features on which repeated readings of training patients agree: ICC(A,1).

    What training has computed is read; where it has not, it is computed and committed.

    Parameters
    ----------
    feature_set
        A name or name@N.
    study
        The study's id; may be left out where the store has one study.
    split
        The split whose training patients count; the study's first where not given.
    kind
        Only agreement within a reader (intra) or between readers (inter).
    minimum
        The ICC from which a feature counts as stable.
    bound
        What is compared with the minimum: the ICC itself, or the lower end of its 95 % interval.
    all
        List every feature and phase with its bounds.

    Examples
    --------
    radzoo features stability hcc-cemri --minimum 0.9
    radzoo features stability hcc-cemri --kind inter --bound lower --all
    """
    # Imported here: the other verbs do not need the study file's schema and the numerical libraries.
    from flows.train.stability import ensure_stability
    from store.history.studies import stored_study
    from zoo.tables.stability_counts import stability_counts
    from zoo.tables.stable_columns import stable_columns

    store = Store(context.store)
    snapshot = Snapshot(store)
    named_feature_set(snapshot, feature_set)
    found = ensure_stability(store, stored_study(snapshot, study), feature_set, split)
    rows = [row for row in found.rows if kind in (None, row["kind"])]
    counts = stability_counts(rows, found.families, minimum, bound)
    stable = stable_columns(rows, minimum, bound)
    data = {
        "study": found.study,
        "split": found.split,
        "feature_set": found.feature_set,
        "computed_now": found.is_new,
        "minimum": minimum,
        "bound": bound,
        "columns": len({(row["phase"], row["feature"]) for row in rows}),
        "stable_columns": len(stable),
        "few": [each._asdict() for each in found.few if kind in (None, each.kind)],
        "families": counts,
        "features": rows,
    }
    return CommandResult(stability_text(data, counts, rows if all else []), data)


def landmarks(
    feature_set: str,
    /,
    *,
    study: str | None = None,
    split: str | None = None,
    phase: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = (),
    workers: Workers = None,
    context: Shared,
) -> CommandResult:
    """Learn a feature set's standard scales of intensities from the images of training patients (Nyul and Udupa).

    What is printed is to be appended to the study file (>>), where it is part of the set's definition; it says whose
    training patients taught it. Each image is prepared as the set's other settings say. An image that cannot be used
    is left out and named, with exit code 5. The store stays as it is.

    Parameters
    ----------
    feature_set
        One of the study's own, [define.NAME.radiomics] with standardize = true.
    study
        The study's id; may be left out where the store has one study.
    split
        The split whose training patients teach; the study's first where not given.
    phase
        Only this phase; may be given several times. All of the study's where not given.
    workers
        Processes that measure images; as many as there are cores where not given.

    Examples
    --------
    radzoo features landmarks mr-standard
    radzoo features landmarks mr-standard --split fixed --phase AP
    """
    # Imported here: the other verbs need no images.
    from flows.cli.answers.landmarks import landmarks_toml
    from flows.engine.progress import say
    from flows.refresh.landmarks import learnt_landmarks

    found = learnt_landmarks(Store(context.store), study, feature_set, split=split, phases=phase, workers=workers)
    for name, reason in found.failures.items():
        say(f"left out: {name}: {reason}")
    for each in found.landmarks:
        say(f"{each.phase}: learnt from {each.patients} training patients of split '{each.split}' of {each.study}")
    return CommandResult(landmarks_toml(found), found, _WITH_FAILURES if found.failures else 0)
