"""The verbs of trained models: predict, and models list, show, card, export."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from flows.cli.outcome import CommandResult, Context, table_text
from flows.models.stored import (
    ListedModel,
    ShownModel,
    export_model,
    listed_models,
    model_card_text,
    shown_model,
)
from store.history.snapshot import Snapshot
from store.home import Store
from zoo.models.words import censoring_words, network_words, penalty_words, recalibration_words, step_words
from zoo.saving.named_model import model_row

if TYPE_CHECKING:
    from zoo.models.prediction import Predictions

__all__ = ["card", "export", "list", "predict", "show"]

_WITH_FAILURES = 5
Shared = Annotated[Context, Parameter(parse=False)]


def list(*, study: str | None = None, context: Shared) -> CommandResult:  # noqa: A001  (the verb's name)
    """List the trained models, every version.

    Parameters
    ----------
    study
        Only this study's.

    Examples
    --------
    radzoo models list
    """
    rows = listed_models(Snapshot(Store(context.store)), study)
    columns = ["model", "version", "study", "base", "dataset", "trained_at", "validation AUC", "stale", "mark"]
    shown = [vars(row) | {"validation AUC": row.validation_auc, "stale": _stale_words(row)} for row in rows]
    text = table_text(shown, columns)
    return CommandResult(text if rows else "no model was trained yet\nnext: radzoo train", rows)


def _stale_words(row: ListedModel) -> str:
    if row.is_stale is None:
        return "not known"
    return ", ".join(row.stale_because) if row.is_stale else "no"


def show(model: str, *, study: str | None = None, context: Shared) -> CommandResult:
    """Show a model: what it learned, its parameters, its figures.

    Parameters
    ----------
    model
        [STUDY/]MODEL[@VERSION], the newest version where none is given.
    study
        The model's study; may be left out where one study has such a model.

    Examples
    --------
    radzoo models show radiomics_lr
    radzoo models show my-study/radiomics_lr@2
    """
    snapshot = Snapshot(Store(context.store))
    found = shown_model(snapshot, model_row(snapshot, model, study))
    return CommandResult(_shown_text(found), found)


def card(model: str, *, study: str | None = None, context: Shared) -> CommandResult:
    """Print a model's card, Markdown: what it is, was trained on, and may be used for.

    Parameters
    ----------
    model
        [STUDY/]MODEL[@VERSION], the newest version where none is given.
    study
        The model's study; may be left out where one study has such a model.

    Examples
    --------
    radzoo models card cr
    """
    snapshot = Snapshot(Store(context.store))
    row = model_row(snapshot, model, study)
    text = model_card_text(snapshot, row)
    named = {name: row[name] for name in ("study", "model", "version", "sha256", "mark")}
    return CommandResult(text.rstrip("\n"), named | {"card": text})


def export(model: str, folder: Path, *, study: str | None = None, context: Shared) -> CommandResult:
    """Copy a model out of the store, with a manifest that tells whether it was changed since.

    The folder can be given to others: radzoo predict --model-folder FOLDER applies it. The store stays as it is.

    Parameters
    ----------
    model
        [STUDY/]MODEL[@VERSION], the newest version where none is given.
    folder
        A new or empty folder.
    study
        The model's study; may be left out where one study has such a model.

    Examples
    --------
    radzoo models export cr@1 cr-model
    """
    store = Store(context.store)
    found = export_model(store, model_row(Snapshot(store), model, study), folder)
    lines = [f"{found.study}/{found.model}@{found.version} in {found.folder}", f"sha256 {found.sha256}"]
    if found.mark is not None:
        lines.append(f"marked: {found.mark}")
    return CommandResult("\n".join(lines), found)


def predict(
    model: str | None = None,
    *,
    study: str | None = None,
    model_folder: Path | None = None,
    patient: tuple[str, ...] = (),
    out: Path | None = None,
    include_training: bool = False,
    explain: bool = False,  # the option's name
    context: Shared,
) -> CommandResult:
    """Apply a saved model to patients of a study.

    The model is applied only where its inputs are the same things: the same definition of the features, convertible
    units, and no patient of its own training cohort. Nothing is written to the store. A patient who lacks an input has
    no answer but a reason, and the exit code is 5.

    Parameters
    ----------
    model
        [STUDY/]MODEL[@VERSION], the newest version where none is given.
    study
        The study of the patients, the model's own or another; may be left out where the store has one study.
    model_folder
        A folder that radzoo models export wrote, instead of a model of this store.
    patient
        Only this patient; may be given several times.
    out
        Write the answer to this .csv, .parquet or .json file instead of stdout.
    include_training
        Answer for patients that the model was trained on too; the column cohort marks them.
    explain
        Add what each feature contributes.

    Examples
    --------
    radzoo predict cr@1 --study other-study --out predictions.csv
    radzoo predict --model-folder cr-model --study other-study --explain
    """
    # Imported here: the other verbs need no library of learning.
    from flows.models.predict import predict as predict_patients
    from flows.models.predict import refuse_unwritable_file, write_predictions

    refuse_unwritable_file(out)
    found = predict_patients(
        Store(context.store),
        model,
        study,
        folder=model_folder,
        patients=patient,
        include_training=include_training,
        explain=explain,
    )
    code = _WITH_FAILURES if found.failed else 0
    if out is not None:
        write_predictions(found, out)
        counts = {"patients": len(found.patients), "failed": found.failed, "file": str(out)}
        return CommandResult(f"{len(found.patients)} patients in {out}, {found.failed} without an answer", counts, code)
    return CommandResult(_predictions_text(found), found, code)


def _predictions_text(found: Predictions) -> str:
    columns = ["patient", "cohort", "probability", "positive", "reason"]
    rows = [{name: getattr(each, name) for name in columns} for each in found.patients]
    if found.contribution_kind is not None:
        columns.append("largest contributions")
        for row, each in zip(rows, found.patients, strict=True):
            row["largest contributions"] = _largest(each.contributions or {})
    version = "" if found.version is None else f"@{found.version}"
    lines = [
        table_text(rows, columns) if rows else "the study has no patient",
        f"{found.model}{version} of study {found.model_study}: positive from {found.threshold:.6g}; research only",
    ]
    if found.contribution_kind is not None:
        lines.append(
            f"contributions: {found.contribution_kind}, in {found.contribution_unit}; all with --json or --out"
        )
    return "\n".join(lines)


def _largest(parts: Mapping[str, float], number: int = 3) -> str:
    named = [f"{name} {value:+.3f}" for name, value in parts.items() if name != "baseline"]
    return ", ".join(named[:number])


def _shown_text(found: ShownModel) -> str:
    summary = found.summary
    lines = [f"{found.model}@{found.version} of study {found.study}, trained {found.trained_at}"]
    if found.base is not None:
        lines.append(f"a variant of {found.base}")
    if found.mark is not None:
        lines.append(f"marked: {found.mark}")
    lines += [
        f"reads {found.reads or 'a dataset that the catalogue lost'}",
        f"split {found.dataset.get('split', 'unknown')}, dataset {found.dataset['dataset_id']}, "
        f"commit {found.dataset.get('commit_id', 'unknown')}",
        f"threshold {found.threshold:.6g}, frozen in training",
        f"folder {found.path}, sha256 {found.sha256}",
    ]
    if "network" in summary:
        lines += network_words(summary["network"])
    tabular = summary.get("combined", summary)
    if "columns_after" in tabular:
        lines.append("Columns:")
        lines += [f"  {count:>6} {step}" for step, count in step_words(tabular["columns_after"])]
    lines += penalty_words(summary.get("penalties", {}))
    lines += [f"{name} = {value}" for name, value in summary.get("parameters", {}).items()]
    for name in ("intercept", "slope"):
        if name in summary:
            lines.append(f"{name} {summary[name]:.6g}")
    if "recalibration" in summary:
        lines.append(recalibration_words(summary["recalibration"]))
    if "censoring" in summary:
        lines += censoring_words(summary["censoring"])
    if summary.get("excluded"):
        lines.append(f"{len(summary['excluded'])} patients were left out because an input is missing")
    lines += [f"note: {note}" for note in summary.get("notes", ())]
    tables = (
        (summary.get("multivariable"), ["factor", "coefficient", "odds_ratio", "lower", "upper", "p"]),
        (summary.get("members"), ["member", "coefficient"]),
        (tabular.get("features"), ["feature", "coefficient"]),
        (found.metrics, ["suite", "cohort", "n", "events", "auc", "auc_lo", "auc_hi", "brier"]),
    )
    lines += [f"\n{table_text(rows, columns)}" for rows, columns in tables if rows]
    if not found.metrics:
        lines.append(f"\nnot judged yet; next: radzoo bench --study {found.study}")
    return "\n".join(lines)
