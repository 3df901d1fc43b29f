"""The next step as it can be copied: with the store that the command was given."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

from flows.cli.outcome import CommandResult
from flows.cli.verbs import ALL_VERBS
from schemas.errors import ContractError, RadzooError

__all__ = ["name_store_in_hints", "result_with_store", "text_with_store"]

_WITHOUT_STORE = frozenset(["init", "demo"])
_COMMAND = re.compile(rf"\bradzoo (?=(?:{'|'.join(sorted(ALL_VERBS.keys() - _WITHOUT_STORE))})\b)")
_STEP = re.compile(r"^.*\bnext: .*$", re.MULTILINE)


def name_store_in_hints(error: RadzooError, store: Path) -> None:
    """Put ``--store`` into the commands that an error, and each error that it lists, gives as the next step."""
    if error.hint is not None:
        error.hint = text_with_store(error.hint, store)
    for each in error.faults if isinstance(error, ContractError) else ():
        name_store_in_hints(each, store)


def result_with_store(result: CommandResult, store: Path) -> CommandResult:
    """Return what a verb gives, its text's next steps with ``--store``."""
    return replace(result, text=_STEP.sub(lambda step: text_with_store(step[0], store), result.text))


def text_with_store(text: str, store: Path) -> str:
    """Return a text in whose commands the store is named, where they ask one and do not name it already."""
    option = f"radzoo --store {shlex.quote(str(store))} "
    return _COMMAND.sub(lambda _: option, text)
