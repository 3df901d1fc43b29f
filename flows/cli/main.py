"""``radzoo``: the command line's entry. Verbs are loaded only when they are called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from flows.cli.missing_library import missing_library
from flows.cli.outcome import Context, Outcome, json_text
from flows.cli.usage import VERSION_FLAGS, refuse_version_of_verb, usage_error
from flows.cli.verbs import DATASETS_VERBS, FEATURES_VERBS, MODELS_VERBS, STORE_VERBS, VERBS
from flows.prefect_environment import set_prefect_environment
from schemas.errors import RadzooError
from schemas.settings import DEFAULT_STORE, store_path

__all__ = ["DATASETS_VERBS", "FEATURES_VERBS", "MODELS_VERBS", "STORE_VERBS", "VERBS", "app", "main"]


_EPILOGUE = (
    "Exit codes: 0 done, 1 internal, 2 usage, 3 not found, 4 contract violated, 5 finished with failures or "
    "stale, 6 store busy, 130 interrupted. Research software, not for clinical use."
)

app = App(
    name="radzoo",
    help="A feature store and model zoo for imaging studies that run in batches.",
    help_epilogue=_EPILOGUE,
    help_format="plaintext",
    version=lambda: version("radzoo"),
    version_flags=VERSION_FLAGS,
    result_action="return_value",
)
_store = App(name="store", help="Look after the store.", help_format="plaintext", result_action="return_value")
_features = App(
    name="features", help="Look at features and feature sets.", help_format="plaintext", result_action="return_value"
)
_models = App(name="models", help="Look at trained models.", help_format="plaintext", result_action="return_value")
_datasets = App(name="datasets", help="Look at pinned datasets.", help_format="plaintext", result_action="return_value")
_GROUPS = (
    (app, VERBS),
    (_features, FEATURES_VERBS),
    (_datasets, DATASETS_VERBS),
    (_models, MODELS_VERBS),
    (_store, STORE_VERBS),
)
for _group, _verbs in _GROUPS:
    for _name, _verb in _verbs.items():
        _group.command(_verb.target, name=_name, help=_verb.help, help_epilogue="")
app.command(_features)
app.command(_datasets)
app.command(_models)
app.command(_store)


# Else cyclopts leaves without the line that says what was kept.
app.meta.suppress_keyboard_interrupt = False


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    store: Annotated[str | None, Parameter(help="The store's folder; else RADZOO_STORE, else ./radzoo-store.")] = None,
    json: Annotated[bool, Parameter(negative="", help="Answer, and fail, in JSON.")] = False,
) -> Outcome | None:
    if "-" in tokens:
        # A bare dash is standard input; cyclopts takes it for an option, except behind the end of options.
        tokens = (*(token for token in tokens if token not in ("-", "--")), "--", "-")
    command, bound, ignored = app.parse_args(tokens, print_error=False, exit_on_error=False)
    shared: dict[str, Any] = {}
    if "context" in ignored:
        named = store_path(store, os.environ)
        shared["context"] = Context(named or Path(DEFAULT_STORE), store_was_named=named is not None)
    result = command(*bound.args, **bound.kwargs, **shared)
    return result if isinstance(result, Outcome) else None


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    if isinstance(sys.stdout, TextIOWrapper):
        # Where the terminal's encoding lacks a character, its code is shown; a table's lines are not worth an error.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(exit_code(sys.argv[1:] if arguments is None else arguments))


def exit_code(arguments: Sequence[str]) -> int:
    """Run one command, print what it gives, and return its exit code."""
    as_json = "--json" in arguments
    set_prefect_environment(os.environ)
    try:
        refuse_version_of_verb(arguments)
        outcome = app.meta(list(arguments), print_error=False, exit_on_error=False, result_action="return_value")
    except RadzooError as error:
        print(json_text(error.as_dict()) if as_json else f"error: {error}", file=sys.stderr)
        return error.exit_code
    except CycloptsError as error:
        fault_of_usage = usage_error(error, arguments)
        print(json_text(fault_of_usage.as_dict()) if as_json else f"error: {fault_of_usage}", file=sys.stderr)
        return fault_of_usage.exit_code
    except ImportError as error:
        if (missing := missing_library(error)) is None:
            raise
        print(json_text(missing.as_dict()) if as_json else f"error: {missing}", file=sys.stderr)
        return missing.exit_code
    except Exception as error:
        if not as_json:
            raise
        fault = {
            "error": type(error).__name__,
            "message": str(error),
            "where": None,
            "hint": None,
            "exit_code": 1,
        }
        print(json_text(fault), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: what was finished is kept, the same command goes on from there", file=sys.stderr)
        return 130
    if not isinstance(outcome, Outcome):
        return 0
    text = json_text(outcome.data) if as_json else outcome.text
    try:
        if text:
            print(text, flush=True)
    except BrokenPipeError:
        # The reader of a pipe has had enough; Python would complain once more while closing stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return outcome.exit_code
