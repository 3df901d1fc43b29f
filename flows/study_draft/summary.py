"""What a draft says to the person who asked for it: what was recognised, what was not, what comes next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from flows.study_draft.run import PhaseFound, StudyDraft
from schemas.foreign_text import one_line

__all__ = ["draft_lines"]

_NAMED = 5
_MOST_IN_A_COMMAND = 20


def draft_lines(draft: StudyDraft, file: Path, source: Path, *, is_written: bool = True) -> str:
    """Return the lines about a draft.

    Parameters
    ----------
    draft : StudyDraft
        The draft.
    file : Path
        The study file.
    source : Path
        The folder that was looked at.
    is_written : bool
        Whether the file is there: else the next command is the one that writes it.
    """
    lines = [*_lines(draft)]
    if is_written:
        lines += _next_lines(draft, file, source)
    else:
        lines.append("nothing was written (--dry-run)")
    return "\n".join(map(one_line, lines))


def _lines(draft: StudyDraft) -> Iterator[str]:
    yield f"recognised: {_count(len(draft.patients), 'patient')}, {_count(len(draft.phases), 'phase')}"
    for each in draft.phases:
        yield from _phase_lines(each)
    yield from (f"  {each}" for each in draft.readings)
    yield f"table: {draft.table}" if draft.table else "table: none has the ids that stand in the paths"
    for kind, paths in sorted(draft.aside.items()):
        yield f"left aside: {kind} ({len(paths)}), such as {paths[0]}"
    yield from (f"note: {note}" for note in draft.notes)


def _next_lines(draft: StudyDraft, file: Path, source: Path) -> Iterator[str]:
    if draft.decisions:
        yield f"to decide: {_count(draft.decisions, 'line')} marked `# to decide` in {file}"
    if draft.table is None:
        yield f"next: {_table_command(draft, file, source)}, add the outcome's column, then radzoo ingest {file}"
    else:
        yield f"next: look through {file}, then radzoo ingest {file}"


def _phase_lines(phase: PhaseFound) -> Iterator[str]:
    yield f"  {phase.name}: {_count(phase.images, 'patient')}, {phase.masks} with a mask"
    yield f"    image {phase.image}{f' ({phase.series})' if phase.series else ''}"
    yield f"    mask {phase.mask}{f' ({phase.segment})' if phase.segment else ''}" if phase.mask else "    no mask"
    if phase.without_mask and phase.masks:
        yield f"    without a mask: {_listed(phase.without_mask)}"
    if phase.without_image:
        yield f"    without an image: {_listed(phase.without_image)}"


def _table_command(draft: StudyDraft, file: Path, source: Path) -> str:
    """Return the command that makes a table of the patients."""
    table = shlex.quote(str(file.parent / "patients.csv"))
    if len(draft.patients) <= _MOST_IN_A_COMMAND:
        return f"printf '%s\\n' patient {' '.join(map(shlex.quote, draft.patients))} > {table}"
    asked = f"radzoo --json init {shlex.quote(str(file.parent))} --from {shlex.quote(str(source))} --dry-run"
    code = r"""import json, sys; print("patient", *json.load(sys.stdin)["patients"], sep="\n")"""
    return f"{asked} | python3 -c '{code}' > {table}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
