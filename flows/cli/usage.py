"""What is said of a command that has no meaning; from the verbs' names alone, for no verb is loaded to be suggested."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from cyclopts import CycloptsError, MissingArgumentError, UnknownCommandError, UnusedCliTokensError

from flows.cli.verbs import ALL_VERBS, COMPLETION_VERBS, GROUPS, PANELS
from schemas.errors import UsageError

__all__ = [
    "HELP_FLAGS",
    "VERSION_FLAGS",
    "named_verb",
    "refuse_urls",
    "refuse_version_of_verb",
    "usage_error",
    "verb_to_explain",
]

HELP_FLAGS = ("--help", "-h")
VERSION_FLAGS = ("--version", "-V")
# A path has one slash where the URL had two.
_URL = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
_MODEL_VERBS = ("predict", "models show", "models card", "models export", "models explain")


def named_verb(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Return the verb that a command line names, or the part of it that is known, and the arguments behind it."""
    left = list(arguments)
    known: list[str] = []
    named = {*ALL_VERBS, *GROUPS, *COMPLETION_VERBS}
    while left:
        if left[0] == "--store":
            del left[:2]
        elif left[0] == "--json" or left[0].startswith("--store="):
            del left[0]
        elif " ".join([*known, left[0]]) in named:
            known.append(left.pop(0))
        else:
            break
    return " ".join(known), left


def verb_to_explain(arguments: Sequence[str]) -> str | None:
    """Return the verb whose help is asked for, wherever the flag stands; None where it is of no single verb.

    Raises
    ------
    UsageError
        Where help is asked of a verb that does not exist.
    """
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if set(HELP_FLAGS).isdisjoint(options):
        return None
    verb, left = named_verb([each for each in options if each not in HELP_FLAGS])
    if verb in ALL_VERBS or verb in COMPLETION_VERBS:
        return verb
    if left and left[0][:1] != "-":
        raise UsageError(_unknown_text(verb, left[0]), hint=f"radzoo {verb} --help".replace("  ", " "))
    return None


def refuse_urls(values: Iterable[object]) -> None:
    """Refuse a URL where a path of this machine is asked for: it would become a folder of that name.

    Raises
    ------
    UsageError
        When one of the values is a path that begins as a URL does.
    """
    for value in values:
        if isinstance(value, (list, tuple)):
            refuse_urls(value)
        elif isinstance(value, Path) and _URL.match(str(value)):
            raise UsageError(
                "a file or folder of this machine is asked for, not a URL",
                where=str(value),
                hint="name a path; where a store's data lie elsewhere, radzoo store init --data URL says so, and where "
                "images do the path patterns of a study file",
            )


def usage_error(error: CycloptsError, arguments: Sequence[str]) -> UsageError:
    """Return what to say of a command that cannot be parsed; the next step names the verb, where there is one."""
    verb, _ = named_verb(arguments)
    command = f"radzoo {verb}".strip()
    hint = f"{command} --help"
    # Cyclopts' own text for an unknown command loads every verb to learn which are shown.
    if isinstance(error, UnknownCommandError):
        return UsageError(_unknown_text(verb, (error.unused_tokens or [""])[0]), hint=hint)
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return UsageError(f"{command} takes no further argument: {' '.join(error.unused_tokens)}", hint=hint)
    if isinstance(error, MissingArgumentError) and (name := _positional(error)):
        return UsageError(f"{command} needs {name}", hint=hint)
    return UsageError(str(error).strip(), hint=hint)


def refuse_version_of_verb(arguments: Sequence[str]) -> None:
    """Refuse ``--version`` and ``-V`` behind a verb, where it would give radzoo's version for an answer.

    Raises
    ------
    UsageError
        Where it stands there; the next step says how a model's version is named.
    """
    verb, left = named_verb(arguments)
    at = next((i for i, each in enumerate(left) if each.partition("=")[0] in VERSION_FLAGS), None)
    if not verb or at is None or "--" in left[:at] or "--help" in left:
        return
    hint = f"radzoo {verb} --help"
    if verb in _MODEL_VERBS and left[0][:1] != "-":
        _, equals, given = left[at].partition("=")
        number = given if equals else "".join(left[at + 1 : at + 2])
        hint = f"radzoo {verb} {left[0].partition('@')[0]}@{number if number.isdigit() else 'VERSION'}"
    raise UsageError(f"Unknown option: {left[at].partition('=')[0]}.", hint=hint)


def _unknown_text(group: str, token: str) -> str:
    names = [*GROUPS[group]] if group in GROUPS else [name for panel in PANELS.values() for name in panel]
    near = get_close_matches(token, names, n=1)
    if group not in GROUPS:
        near = [f"{each} {token}" for each, own in GROUPS.items() if token in own] or near
    meant = f" Did you mean {' or '.join(map(_quoted, near))}?" if near else ""
    return f"Unknown command {_quoted(token)}.{meant} Available commands: {', '.join(names)}."


def _quoted(text: str) -> str:
    return f'"{text}"'


def _positional(error: MissingArgumentError) -> str | None:
    """Return the name that the help gives a missing argument; None for an option that lacks its value."""
    found = error.argument
    if found is None or error.keyword or found.tokens or not found.field_info.is_positional:
        return None
    return found.name.lstrip("-").upper()
