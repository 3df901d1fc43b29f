"""The verb that takes a patient out of the store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from flows.cli.outcome import CommandResult, Context, json_text, table_text
from flows.engine.progress import say
from flows.privacy.look_up import pseudonym_by_key, pseudonym_by_study
from flows.privacy.places import forget_patient, sources_of_patient
from flows.remote.copies import forget_copies
from flows.study.file import study_file_text
from flows.tables.file_faults import real_path
from schemas.documents.erasure_receipt import ErasureReceipt
from schemas.errors import NotFoundError, UsageError
from store.erasure.erase import erase_patient, planned_erasure
from store.erasure.files import naming_files
from store.erasure.plan import ErasurePlan
from store.history.snapshot import Snapshot
from store.home import Store

__all__ = ["erase"]

Shared = Annotated[Context, Parameter(parse=False)]


def erase(
    patient: str | None = None,
    *,
    # A dash alone asks for it.
    id: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,  # noqa: A002  (the option's name)
    study_file: Path | None = None,
    key: Path | None = None,
    yes: Annotated[bool, Parameter(negative="")] = False,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    receipt: Path | None = None,
    context: Shared,
) -> CommandResult:
    """Remove a patient from every snapshot and file of the store; this cannot be undone.

    It is the one verb that changes history: every commit, however old, answers as if the patient had never been there.
    It asks before it begins, and gives a receipt, which does not name the patient. Models that were trained on the
    patient stay and are marked. What runs meanwhile leaves the patient out. Where it was interrupted the same command
    goes on; of a patient who was erased before, it looks through the store again.

    Outside the store nothing is removed: study tables, images, masks and copies of the store are yours. A backup loses
    the patient when radzoo store backup runs the next time. Pages of report, look and overview below the store are all
    removed, for any may show the patient; counts in what was published before, a flow chart's say, are no longer those
    of the store.

    Where a study has [privacy] and the patient is known by the id of its tables, --id gives it, with the study file or
    the key that made the pseudonym. --id - asks for it, so that it stands in no history of the shell.

    Parameters
    ----------
    patient
        The pseudonym, as the store has it.
    id
        Instead of the pseudonym: the id as the study's tables write it, or - to be asked.
    study_file
        With --id: the study file, whose [privacy] says how ids become pseudonyms.
    key
        With --id: the file of the key, where the study file is not there.
    yes
        Do not ask.
    dry_run
        Say what would be removed, and remove nothing.
    receipt
        A file to which the receipt is written, too: JSON, which does not name the patient.

    Examples
    --------
    radzoo store erase P001 --dry-run
    radzoo store erase P001 --receipt receipt.json
    radzoo store erase --id - --study-file my-study/study.toml
    """
    store = Store(context.store)
    patient = _pseudonym(store, patient, id, study_file, key)
    plan = planned_erasure(store, patient)
    if dry_run:
        return CommandResult(f"{_plan_text(plan)}\nnothing was removed", _plan_data(plan))
    if receipt is not None and not receipt.resolve().parent.is_dir():
        raise NotFoundError("there is no such folder", where=str(receipt.resolve().parent), hint="make it first")
    if receipt is not None:
        _try_to_write(receipt)
    if not yes:
        _ask(plan)
    known = set(Snapshot(store).arrow("erasures").column("erasure_id").to_pylist())
    # Where they lie is known as long as the patient is in the store.
    sources = sources_of_patient(store, patient)
    # Before the rows that name them go, for what breaks off is not known to anybody afterwards.
    forget_copies(sources)
    try:
        given = erase_patient(store, patient)
        forget_patient(store, patient)
    finally:
        # What a run at work has fetched again meanwhile.
        forget_copies(sources)
    if receipt is not None:
        receipt.write_text(json_text(given) + "\n", encoding="utf-8")
    left = naming_files(store, patient)
    running = [row for row in Snapshot(store).arrow("runs").to_pylist() if row["status"] == "running"]
    text = _receipt_text(given, left, len(running), is_repeated=given["erasure_id"] in known)
    return CommandResult(text, given | {"files_that_name_the_patient": left})


def _pseudonym(
    store: Store, patient: str | None, written: str | None, study_file: Path | None, key: Path | None
) -> str:
    """Return the pseudonym of whom the options name."""
    if (patient is None) == (written is None):
        raise UsageError("name the patient by the pseudonym, or by --id", hint="radzoo store erase --help")
    if patient is not None:
        if study_file is not None or key is not None:
            raise UsageError("--study-file and --key belong to --id", hint="radzoo store erase --help")
        return patient
    if (study_file is None) == (key is None):
        raise UsageError("--id needs --study-file STUDY.toml or --key FILE", hint="radzoo store erase --help")
    if written == "-":
        say("The id, as the study's tables write it:")
        written = sys.stdin.readline()
    if study_file is not None:
        study_file = real_path(study_file)
        return pseudonym_by_study(study_file, study_file_text(study_file), store.root, str(written).strip())
    return pseudonym_by_key(store, Path(str(key)), str(written).strip())


def _try_to_write(receipt: Path) -> None:
    """Raise what writing the receipt would raise, before anything is erased; its file is left as it was."""
    is_new = not receipt.exists()
    with receipt.open("a", encoding="utf-8"):
        pass
    if is_new:
        receipt.unlink()


def _ask(plan: ErasurePlan) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            "an erasure cannot be undone, and nobody is there to be asked",
            hint="--yes erases without asking, --dry-run says what would be removed",
        )
    say(_plan_text(plan))
    say("This cannot be undone. Erase? [y/N]")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was removed", hint="--yes erases without asking")


def _plan_text(plan: ErasurePlan) -> str:
    if plan.is_empty:
        return "this patient was erased before, or an erasure was interrupted: the store is looked through again"
    rows = [{"table": name, "rows": count} for name, count in sorted(plan.rows.items())]
    lines = [table_text(rows, ["table", "rows"])] if rows else []
    datasets = len(plan.datasets) + len(plan.unpinned)
    lines.append(
        f"{_counted(len(plan.extraction_ids), 'extraction')} removed, {len(plan.shared_ids)} kept for other patients; "
        f"{_counted(len(plan.segments), 'segment')} and {_counted(datasets, 'dataset')} rewritten"
    )
    names = ", ".join(f"{study}/{model}@{version}" for study, model, version in plan.models)
    lines.append(f"models trained on the patient, to be marked: {names or 'none'}")
    lines.append("pages of report, look and overview below the store: all removed, the verbs write them again")
    return "\n".join(lines)


def _plan_data(plan: ErasurePlan) -> dict[str, Any]:
    return {
        "rows": plan.rows,
        "extractions": len(plan.extraction_ids),
        "extractions_kept_for_others": len(plan.shared_ids),
        "segments": [each.path for each in plan.segments],
        "datasets": [each.path for each in (*plan.datasets, *plan.unpinned)],
        "unnamed_files": plan.unnamed,
        "missing_files": plan.missing,
        "models": [f"{study}/{model}@{version}" for study, model, version in plan.models],
    }


def _receipt_text(receipt: ErasureReceipt, left: list[str], running: int, *, is_repeated: bool) -> str:
    rows = sum(each["rows"] for each in receipt["rows_removed"])
    lines = [
        f"begun or erased before, and looked through again; what was removed in all, receipt {receipt['erasure_id']}"
        if is_repeated
        else f"erased, receipt {receipt['erasure_id']}",
        f"  {_counted(rows, 'row')} of the catalogue, {_counted(receipt['extractions_removed'], 'extraction')}; "
        f"{receipt['extractions_kept_for_others']} kept for other patients",
        f"  {_counted(len(receipt['files_rewritten']), 'file')} rewritten, "
        f"{_counted(len(receipt['datasets']), 'dataset')} of them or sharing one, "
        f"{_counted(receipt['pages_removed'], 'page and spilled file', 'pages and spilled files')} removed",
        f"  models marked: {', '.join(receipt['models_marked']) or 'none'}",
        *(f"missing before: {each}" for each in receipt["missing_files"]),
        "what stays:",
        *(f"  {each}" for each in receipt["what_stays"]),
    ]
    if left:
        lines += ["files below the store that are not radzoo's and name the patient:", *(f"  {each}" for each in left)]
    if running:
        counted = _counted(running, "run")
        lines.append(
            f"{counted} without an end: one that still runs leaves the patient out; was it killed, erase again"
        )
    return "\n".join(
        [*lines, "next: take the patient out of study tables, images and masks; radzoo report writes its pages again"]
    )


def _counted(number: int, what: str, many: str | None = None) -> str:
    return f"{number} {what if number == 1 else many or f'{what}s'}"
