"""The next step can be copied: it asks the store that the command was given."""

from pathlib import Path

import pytest
from builders.command_line import radzoo_run

from flows.cli.next_step import name_store_in_hints, result_with_store, text_with_store
from flows.cli.outcome import CommandResult
from schemas.errors import ContractError


@pytest.mark.parametrize(
    ("text", "copied"),
    [
        ("radzoo sql 'show tables', or radzoo sql 'describe T'", "{0} sql 'show tables', or {0} sql 'describe T'"),
        ("radzoo store verify --repair", "{0} store verify --repair"),
        ("radzoo --store FOLDER store publish", "radzoo --store FOLDER store publish"),
        ("radzoo init my-study, then radzoo ingest FILE", "radzoo init my-study, then {0} ingest FILE"),
        ("pip install 'radzoo[postgresql]'", "pip install 'radzoo[postgresql]'"),
        ("install a newer radzoo", "install a newer radzoo"),
    ],
)
def test_commands_name_the_store(text: str, copied: str) -> None:
    """Those that ask a store and name none get it, quoted as a shell wants it; other words stay."""
    store = Path("/data/a b")
    assert text_with_store(text, store) == copied.format("radzoo --store '/data/a b'")


def test_listed_faults_and_answers_name_it_too() -> None:
    """Each of several faults has its own next step; of an answer only lines that give one are changed."""
    error = ContractError("two", hint="radzoo ingest FILE", faults=[ContractError("one", hint="radzoo refresh")])
    name_store_in_hints(error, Path("s"))
    assert (error.hint, error.faults[0].hint) == ("radzoo --store s ingest FILE", "radzoo --store s refresh")
    result = CommandResult("radzoo refresh was run\nnext: radzoo bench", {"next": "radzoo bench"})
    named = result_with_store(result, Path("s"))
    assert named.text == "radzoo refresh was run\nnext: radzoo --store s bench"
    assert named.data == result.data


def test_a_hint_that_is_copied_answers(small_study) -> None:
    """Of a misspelt table the hint's own command lists the tables of the same store, from any folder."""
    small_study.ingest()
    store = str(small_study.store_root)
    refused = radzoo_run("--store", store, "sql", "from pateints")
    copied = f"--store {store} sql 'show tables'"
    assert copied in refused.stderr
    answered = radzoo_run("--store", store, "sql", "show tables", cwd=Path("/"))
    assert "patients" in answered.stdout
