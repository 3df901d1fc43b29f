"""The verb ``store backup``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.cli.outcome import CommandResult, Context
from flows.cli.store.verification import verification_text
from schemas.errors import ContractError
from store.backup.copy import Backup, back_up_store
from store.home import Store
from zoo.saving.persist import folder_sha256

__all__ = ["backup"]


def backup(folder: Path, *, quick: bool = False, context: Annotated[Context, Parameter(parse=False)]) -> CommandResult:
    """Copy the store into a folder, or bring the copy there up to date, and check it.

    The copy is a store: radzoo --store FOLDER reads it. Others may write meanwhile. Exit code 4 where the copy cannot
    be trusted. What the store no longer names is removed from the copy, the files of erased patients among it;
    anything else in a folder that is no backup of this store is left alone, and the folder refused.

    Parameters
    ----------
    folder
        New, empty, or a backup of this store.
    quick
        Compare sizes of what is there already; hash only what is copied.

    Examples
    --------
    radzoo store backup /backup/radzoo-store
    """
    made = back_up_store(Store(context.store), folder, quick=quick, folder_hash=folder_sha256)
    data = {
        "folder": made.folder,
        "commit_id": made.commit_id,
        "files": made.files,
        "removed": made.removed,
        "is_clean": made.verification.is_clean,
    }
    return CommandResult(_text(made), data, 0 if made.verification.is_clean else ContractError.exit_code)


def _text(made: Backup) -> str:
    files = made.files
    lines = [
        f"backed up commit {made.commit_id} in {made.folder}",
        f"{files.copied:,} files copied, {files.copied_bytes / 1e6:.2f} MB; {files.kept:,} were there already; "
        f"{len(made.removed):,} removed that nothing names any more",
    ]
    if not made.verification.is_clean:
        return "\n".join([*lines, "", verification_text(made.verification)])
    return "\n".join([*lines, f"checked: no promise is broken; radzoo --store {made.folder} reads it"])
