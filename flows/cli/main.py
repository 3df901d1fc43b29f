"""``radzoo``: the command line's entry. Verbs are loaded only when they are called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from flows.cli.moved_store import publish_after_move
from flows.cli.outcome import Context, Outcome, json_text
from flows.cli.usage import refuse_version_of_verb, usage_error
from flows.cli.verbs import DATASETS_VERBS, FEATURES_VERBS, MODELS_VERBS, STORE_VERBS, VERBS
from schemas.errors import RadzooError
from schemas.settings import DEFAULT_STORE, store_path

__all__ = ["DATASETS_VERBS", "FEATURES_VERBS", "MODELS_VERBS", "STORE_VERBS", "VERBS", "app", "main"]


_EPILOGUE = (
    "Exit codes: 0 done, 1 internal, 2 usage, 3 not found, 4 contract violated, 5 finished with failures or "
    "stale, 6 store busy, 130 interrupted. Research software, not for clinical use."
)

# Prefect's settings where the user has set none; read when a verb that uses Prefect is loaded.
_PREFECT_DEFAULTS = {
    # The analytics service writes to Prefect's SQLite file while a flow does, and they lock each other out.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # Its log lines would stand among the progress.
    "PREFECT_LOGGING_LEVEL": "WARNING",
    # The temporary server takes longer than 20 seconds to come up on a busy machine.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}

app = App(
    name="radzoo",
    help="A feature store and model zoo for imaging studies that run in batches.",
    help_epilogue=_EPILOGUE,
    help_format="plaintext",
    version=lambda: version("radzoo"),
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
        shared["context"] = Context(named or Path(DEFAULT_STORE), store_was_named=named is not None, as_json=json)
        publish_after_move(shared["context"].store)
    result = command(*bound.args, **bound.kwargs, **shared)
    return result if isinstance(result, Outcome) else None


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(exit_code(sys.argv[1:] if arguments is None else arguments))


def exit_code(arguments: Sequence[str]) -> int:
    """Run one command, print what it gives, and return its exit code."""
    as_json = "--json" in arguments
    for name, value in _PREFECT_DEFAULTS.items():
        os.environ.setdefault(name, value)
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
    if outcome.is_printed:
        return outcome.exit_code
    text = json_text(outcome.data) if as_json else outcome.text
    try:
        if text:
            print(text, flush=True)
    except BrokenPipeError:
        # The reader of a pipe has had enough; Python would complain once more while closing stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return outcome.exit_code
