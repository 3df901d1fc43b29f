"""``radzoo``: the command line's entry. Verbs are loaded only when they are called."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from json import dumps, loads
from pathlib import Path
from typing import Annotated, Any, NoReturn, TextIO

from cyclopts import App, CycloptsError, Group, Parameter, Token

from flows.cli.next_step import name_store_in_hints, result_with_store
from flows.cli.outcome import CommandResult, Context, json_text
from flows.cli.store.moved import publish_after_move
from flows.cli.usage import (
    HELP_FLAGS,
    VERSION_FLAGS,
    named_verb,
    refuse_urls,
    refuse_version_of_verb,
    usage_error,
    verb_to_explain,
)
from flows.cli.verbs import ALL_VERBS, COMPLETION_VERBS, GROUP_SUMMARIES, GROUPS, PANELS, VERBS
from flows.engine.prefect_environment import set_prefect_environment
from flows.faults import fault_of
from schemas.errors import ContractError, RadzooError
from schemas.foreign_text import one_line, printable
from schemas.settings import DEFAULT_STORE, store_path
from store.loading import without_collector
from store.patience import tell_waits
from zoo.saving.skops_io import load_skops_small

__all__ = ["app", "exit_code", "main"]


_EPILOGUE = (
    "Exit codes: 0 done, 1 a fault of the machine or of radzoo, 2 usage, 3 not found, 4 contract violated, "
    "5 finished with failures or stale, 6 store busy, 130 interrupted. Research software, not for clinical use."
)
_HELP = """A feature store and model zoo for imaging studies that run in batches.

radzoo VERB --help says what a verb does, what it changes, and gives examples. radzoo demo runs an example study."""
_STORE = "The store's folder; else RADZOO_STORE, else ./radzoo-store."
_EVERY_VERB = Group("Options of every verb", sort_key=len(PANELS))
_JSON = Parameter(group=_EVERY_VERB, negative="", show_default=False, help="Answer, and fail, in JSON.")
_PROGRAM = Group("The program", sort_key=len(PANELS) + 1)


def _version() -> str:
    # Imported here: it takes a tenth of the time that a list of verbs takes.
    from importlib.metadata import version

    return version("radzoo")


def _command_line() -> App:
    """Return the command line: every verb by the name of its module, which is loaded when the verb is called."""
    line = App(
        name="radzoo",
        help=_HELP,
        help_epilogue=_EPILOGUE,
        help_format="plaintext",
        version=_version,
        version_flags=VERSION_FLAGS,
        result_action="return_value",
    )
    panels = [(Group(title, sort_key=number), names) for number, (title, names) in enumerate(PANELS.items())]
    panel_of = {name: panel for panel, names in panels for name in names}
    places = {name: number for number, name in enumerate(panel_of)}
    for name, verb in VERBS.items():
        line.command(verb.target, name=name, help=verb.summary, group=panel_of[name], sort_key=places[name])
    for group, verbs in GROUPS.items():
        own = App(
            name=group,
            help=f"{GROUP_SUMMARIES[group]}: {', '.join(verbs)}.",
            help_format="plaintext",
            result_action="return_value",
            group=panel_of[group],
            sort_key=places[group],
        )
        for number, (name, verb) in enumerate(verbs.items()):
            own.command(verb.target, name=name, help=verb.summary, sort_key=number)
        line.command(own)
    for flag, verb in COMPLETION_VERBS.items():
        line.command(verb.target, name=flag, help=verb.summary, group=_PROGRAM)
    line["--version"].group = _PROGRAM
    line["--help"].group = _EVERY_VERB
    return line


app = _command_line()
# Else cyclopts leaves without the line that says what was kept.
app.meta.suppress_keyboard_interrupt = False


def _named_folder(_: type, tokens: Sequence[Token]) -> Path | None:
    """Return the folder that an option names; none where its value is empty."""
    return Path(tokens[0].value) if tokens[0].value else None


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    store: Annotated[Path | None, Parameter(group=_EVERY_VERB, converter=_named_folder, help=_STORE)] = None,
    json: Annotated[bool, _JSON] = False,
) -> CommandResult | None:
    if "-" in tokens:
        # A bare dash is standard input; cyclopts takes it for an option, except behind the end of options.
        tokens = (*(token for token in tokens if token not in ("-", "--")), "--", "-")
    # The verb's module is loaded here, with most of what it needs.
    with without_collector():
        command, bound, ignored = app.parse_args(tokens, print_error=False, exit_on_error=False)
    shared: dict[str, Any] = {}
    if "context" in ignored:
        named = store or store_path(None, os.environ)
        shared["context"] = Context(named or Path(DEFAULT_STORE), store_was_named=named is not None, as_json=json)
    try:
        refuse_urls([*bound.args, *bound.kwargs.values(), *([shared["context"].store] if shared else [])])
        if shared and not _only_plans(bound.arguments):
            publish_after_move(shared["context"].store)
        result = command(*bound.args, **bound.kwargs, **shared)
    except RadzooError as error:
        if store is not None:
            name_store_in_hints(error, store)
        raise
    except (CycloptsError, BrokenPipeError):
        raise
    except Exception as error:
        raise fault_of(error, store=shared["context"].store if shared else None) from error
    if not isinstance(result, CommandResult):
        return None
    return result if store is None else result_with_store(result, store)


def _only_plans(arguments: dict[str, Any]) -> bool:
    return any(arguments.get(name) is True for name in ("dry_run", "check"))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code."""
    _open_standard_streams()
    load_skops_small()
    _leave(exit_code(sys.argv[1:] if arguments is None else arguments))


def _leave(code: int) -> NoReturn:
    """End this process as Python does, but for taking its modules apart: with Prefect's that takes half a second."""
    if sys.getprofile() or sys.gettrace() or sys.flags.interactive:
        # Somebody looks on, and goes on behind the end.
        sys.exit(code)
    # The verb is done: who interrupts now waits no longer.
    with suppress(KeyboardInterrupt):
        threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        # What could not be written has been told by now, or there is nobody to tell.
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _open_standard_streams() -> None:
    """Have the three standard streams lead somewhere: else the next file that is opened takes a closed one's place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(0, encoding="utf-8")  # noqa: SIM115  (open to the end)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper):
        # Where the terminal's encoding lacks a character, its code is shown; a table's lines are not worth an error.
        sys.stdout.reconfigure(errors="backslashreplace")


def exit_code(arguments: Sequence[str]) -> int:
    """Run one command, print what it gives, and return its exit code."""
    as_json = "--json" in arguments
    set_prefect_environment(os.environ)
    tell_waits(_say_wait)
    try:
        refuse_version_of_verb(arguments)
        if (verb := verb_to_explain(arguments)) is not None:
            # Imported here: a verb that does its work prints no help.
            from flows.cli.help_pages import print_verb_help

            print_verb_help(app, verb)
            return 0
        outcome = app.meta(list(arguments), print_error=False, exit_on_error=False, result_action="return_value")
    except CycloptsError as error:
        return _printed_fault(usage_error(error, arguments), as_json=as_json)
    except SystemExit:
        # So the library that draws the help leaves where the reader of a pipe has had enough, with 1.
        if not _asks_for_help(arguments):
            raise
        return 0
    except KeyboardInterrupt:
        _to_stderr("interrupted: what was finished is kept, the same command goes on from there")
        return 130
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _asks_for_help(arguments):
            _give_up(sys.stdout)
            return 0
        return _printed_fault(fault_of(error), as_json=as_json)
    if not isinstance(outcome, CommandResult):
        return 0
    return outcome.exit_code if outcome.is_printed else _printed_outcome(outcome, as_json=as_json)


def _say_wait(line: str) -> None:
    # Imported here: most verbs wait for nothing.
    from flows.engine.progress import say

    say(line)


def _asks_for_help(arguments: Sequence[str]) -> bool:
    """Return whether a command is answered by a help page or the version, no verb's work."""
    return named_verb(arguments)[0] not in ALL_VERBS or not {*HELP_FLAGS, *VERSION_FLAGS}.isdisjoint(arguments)


def _printed_outcome(outcome: CommandResult, *, as_json: bool) -> int:
    text = json_text(outcome.data) if as_json else outcome.text
    try:
        if text and sys.stdout is not None:
            print(_writable(text if as_json else printable(text), as_json=as_json), flush=True)
    except BrokenPipeError:
        # The reader of a pipe has had enough; Python would complain once more while closing stdout.
        _give_up(sys.stdout)
    except OSError as error:
        _give_up(sys.stdout)
        fault = fault_of(error)
        fault.where = "standard output"
        return _printed_fault(fault, as_json=as_json)
    return outcome.exit_code


def _printed_fault(fault: RadzooError, *, as_json: bool) -> int:
    _to_stderr(json_text(fault.as_dict()) if as_json else f"error: {_fault_text(fault)}")
    return fault.exit_code


def _fault_text(fault: RadzooError) -> str:
    """Return a fault's lines: only where it lists several faults has a part of it more than one."""
    text = str(fault)
    listed = fault.faults if isinstance(fault, ContractError) else ()
    for each in listed or (fault,):
        for part in filter(None, (each.where, each.message, each.hint)):
            text = text.replace(part, one_line(part))
    return text


def _to_stderr(text: str) -> None:
    # Where nobody can be told, the exit code still tells.
    try:
        if sys.stderr is not None:
            print(printable(text), file=sys.stderr, flush=True)
    except OSError:
        _give_up(sys.stderr)


def _writable(text: str, *, as_json: bool) -> str:
    """Return a text in letters that stdout can write; a letter that it lacks as its code."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        if as_json:
            return dumps(loads(text), indent=2)
        return text.encode(encoding, "backslashreplace").decode(encoding)
    return text


def _give_up(stream: TextIO) -> None:
    """Let a stream that cannot be written lead nowhere, or Python complains of it once more at its end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):
        return
