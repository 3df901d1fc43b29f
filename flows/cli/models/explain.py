"""The verb models explain: what counts in a model, for one patient or for all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from flows.bench.attention import PictureFormat, explain_patients, shown_rows
from flows.cli.outcome import CommandResult, Context, table_text
from flows.models.stored import importance_rows
from schemas.errors import NotFoundError, UsageError
from store.history.snapshot import Snapshot
from store.home import Store
from zoo.models.explained import patient_explanation
from zoo.registry import recorded_spec
from zoo.saving.named_model import model_row

__all__ = ["explain"]

Shared = Annotated[Context, Parameter(parse=False)]

_ATTENTION_TEXT = (
    "energy: share of the map's sum inside the tumour and on its margin; of a flat map it is the area.\n"
    "insertion_auc is high and deletion_auc low where the map orders the pixels as the network needs them."
)
_KINDS_TEXT = (
    "coefficient: log odds per training standard deviation. tree: mean absolute contribution to the log odds.\n"
    "permutation: AUC lost on validation patients when the column is shuffled, with the spread of the shuffles;\n"
    "permutation_training: the same on training patients, which flatters."
)


def explain(
    model: str,
    *,
    patient: tuple[str, ...] = (),
    out: Path | None = None,
    picture: PictureFormat = "png",
    study: str | None = None,
    context: Shared,
) -> CommandResult:
    """Show how much each feature counts in a model, or what it contributed for one patient.

    Of a network: where it finds what speaks for label 1, phase by phase (Score-CAM), with pictures in --out.

    Parameters
    ----------
    model
        [STUDY/]MODEL[@VERSION], the newest version where none is given.
    patient
        A patient of the model's own dataset; of a network, may be given several times. radzoo predict --explain
        answers for others.
    out
        Of a network: a folder for one picture a patient.
    picture
        Their format.
    study
        The model's study; may be left out where one study has such a model.

    Examples
    --------
    radzoo models explain radiomics_xgb
    radzoo models explain radiomics_xgb --patient P001
    radzoo models explain dl_resnet10 --patient P001 --out pictures
    """
    snapshot = Snapshot(Store(context.store))
    row = model_row(snapshot, model, study)
    marked = f"marked: {row['mark']}\n" if row["mark"] is not None else ""
    if recorded_spec(row).is_network:
        return _network_explanation(snapshot, row, patient, out, picture, marked)
    if out is not None or len(patient) > 1:
        raise UsageError(
            f"'{row['model']}' is no network: it has no pictures, and one patient is explained at a time",
            hint=f"radzoo models explain {row['study']}/{row['model']} --patient P",
        )
    if patient:
        found = patient_explanation(snapshot, row, patient[0])
        return CommandResult(marked + _explanation_text(found), found | {"mark": row["mark"]})
    rows = importance_rows(snapshot, row)
    if not rows:
        raise NotFoundError(
            f"{row['model']}@{row['version']} has no importances: no feature passed, or an older release trained it",
            hint=f"radzoo models show {row['study']}/{row['model']}@{row['version']}",
        )
    text = table_text(rows, [*rows[0]])
    return CommandResult(marked + text + "\n" + _KINDS_TEXT, {"mark": row["mark"], "importances": rows})


def _network_explanation(
    snapshot: Snapshot,
    row: Mapping[str, Any],
    patients: tuple[str, ...],
    out: Path | None,
    picture: PictureFormat,
    marked: str,
) -> CommandResult:
    """Return the maps of chosen patients, or those of the examples that bench took, and what else counts."""
    named = f"{row['study']}/{row['model']}@{row['version']}"
    if patients:
        found = explain_patients(snapshot, row, patients, out, picture)
        rows = [{"patient": each.patient} | phase for each in found for phase in each.phases]
        lines = [table_text(rows, [*rows[0]])]
        lines += [
            f"{each.patient} ({each.cohort}, label {each.label}): probability {each.probability:.4f}"
            + ("" if each.file is None else f", {each.file}")
            for each in found
        ]
        return CommandResult(
            "\n".join((marked + lines[0], *lines[1:], _ATTENTION_TEXT)), {"mark": row["mark"], "attention": found}
        )
    if out is not None:
        raise UsageError("whose pictures?", hint=f"radzoo models explain {named} --patient P --out {out}")
    examples = shown_rows(snapshot.rows("attention", study=row["study"], model=row["model"], version=row["version"]))
    importances = importance_rows(snapshot, row)
    if not examples and not importances:
        raise NotFoundError(
            f"no patient of {named} was looked at yet",
            hint=f"radzoo models explain {named} --patient P --out DIR, or radzoo bench --study {row['study']}",
        )
    parts = [table_text(examples, [*examples[0]]) + "\n" + _ATTENTION_TEXT] if examples else []
    parts += [table_text(importances, [*importances[0]]) + "\n" + _KINDS_TEXT] if importances else []
    return CommandResult(
        marked + "\n".join(parts), {"mark": row["mark"], "attention": examples, "importances": importances}
    )


def _explanation_text(found: Mapping[str, Any]) -> str:
    rows = [{"feature": name, found["unit"]: value} for name, value in found["contributions"].items()]
    meaning = {
        "linear": "coefficient times distance from the training mean; with the baseline they add up to the log odds",
        "tree": "TreeSHAP; with the baseline they add up to the log odds",
        "occlusion": "the probability less that with this feature at its training mean; they need not add up",
    }
    return "\n".join(
        (
            table_text(rows, ["feature", found["unit"]]),
            f"{found['patient']} ({found['cohort']}): probability {found['probability']:.4f}, "
            f"{'positive' if found['positive'] else 'negative'}",
            f"{found['kind']}: {meaning[found['kind']]}",
        )
    )
