"""What the command line says of a slip: the name that the help uses, the nearest verb, the next command."""

import json

import pytest
from builders.command_line import radzoo_run

from flows.cli.main import exit_code


def refused(capsys, *arguments):
    """Run a command in this process that is refused, and return its exit code, message and next step."""
    capsys.readouterr()
    code = exit_code(["--json", *map(str, arguments)])
    captured = capsys.readouterr()
    assert captured.out == ""
    fault = json.loads(captured.err)
    return code, fault["message"], fault["hint"]


@pytest.mark.parametrize(
    ("verb", "name"),
    [
        ("datasets show", "DATASET"),
        ("models explain", "MODEL"),
        ("serve", "STUDY-FILE"),
        ("features describe", "FEATURE_SET"),
    ],
)
def test_a_missing_argument_is_named_as_in_the_help(verb, name, capsys):
    """An argument that has a place and no option's dashes in the help has none in the message."""
    assert exit_code([*verb.split(), "--help"]) == 0
    assert f" {name}" in capsys.readouterr().out.splitlines()[0]
    assert refused(capsys, *verb.split()) == (2, f"radzoo {verb} needs {name}", f"radzoo {verb} --help")


def test_an_option_without_its_value_keeps_its_dashes(capsys):
    """An option is named as it was typed."""
    _, message, hint = refused(capsys, "bench", "--repeats")
    assert "--repeats requires an argument" in message
    assert hint == "radzoo bench --help"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (("stroe", "log"), '"store"'),
        (("store", "lgo"), '"log"'),
        (("log",), '"store log"'),
        (("export",), '"models export" or "store export"'),
    ],
)
def test_the_nearest_verb_is_suggested(typed, meant, capsys):
    """A mistyped verb is answered with the nearest one, also with one whose group was forgotten."""
    code, message, _ = refused(capsys, *typed)
    assert code == 2
    assert f"Did you mean {meant}?" in message


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("models", "show", "cr", "--version", "7"), "radzoo models show cr@7"),
        (("--store", "there", "models", "card", "s/cr@1", "--version=2"), "radzoo models card s/cr@2"),
        (("predict", "cr", "--version"), "radzoo predict cr@VERSION"),
        (("models", "list", "--version"), "radzoo models list --help"),
    ],
)
def test_version_behind_a_verb_is_no_option(arguments, hint, capsys):
    """The program's version is no answer to a question about a model's: the next step names that as it is named."""
    assert refused(capsys, *arguments) == (2, "Unknown option: --version.", hint)


def test_version_without_a_verb_is_the_programs(capsys):
    """``radzoo --version`` gives radzoo's version, whatever store is named beside it."""
    assert exit_code(["--store", "there", "--version"]) == 0
    assert capsys.readouterr().out[0].isdigit()


def test_a_study_that_is_not_there_has_no_list_of_models(ready_study, capsys):
    """Models of an unknown study are not found, which is another answer than that none was trained; so is an export."""
    for verb in (("models", "list"), ("models", "show", "cr"), ("store", "export", ready_study.store_root / "plain")):
        code, message, hint = refused(capsys, "--store", ready_study.store_root, *verb, "--study", "nope")
        assert (code, message, hint) == (3, "there is no study 'nope'", "--study S, with one of: small")
    assert not (ready_study.store_root / "plain").exists()
    assert exit_code(["--store", str(ready_study.store_root), "models", "list", "--study", "small"]) == 0


def test_a_model_that_is_not_there_is_answered_with_those_there_are(trained_study, capsys):
    """A version too high is answered with the versions, a mistyped name with the nearest ones."""
    store = ("--store", trained_study.store_root)
    code, message, hint = refused(capsys, *store, "models", "show", "cr@99")
    assert (code, message) == (3, "there is no trained model 'cr@99'")
    assert hint.startswith("one of: cr@1")
    code, _, hint = refused(capsys, *store, "models", "show", "crr")
    assert (code, hint.startswith("nearest: ")) == (3, True)
    assert "cr" in hint.removeprefix("nearest: ").partition(";")[0].split(", ")


def test_an_exported_folder_is_no_model_of_the_store(trained_study, tmp_path, capsys):
    """A folder in the place of a model's name is answered with the option that reads it."""
    store, folder = ("--store", str(trained_study.store_root)), tmp_path / "cr"
    assert exit_code([*store, "models", "export", "cr", str(folder)]) == 0
    code, _, hint = refused(capsys, *store, "predict", folder)
    assert (code, hint) == (2, f"radzoo --store {trained_study.store_root} predict --model-folder {folder}")


def test_a_wrong_cron_text_is_refused_before_a_server_starts(small_study, monkeypatch):
    """A schedule that is none is told at once, and no server was started for it."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    # A process of its own: Prefect keeps the server's address that it was loaded with.
    done = radzoo_run("serve", str(small_study.file), "--refresh", "foo")
    assert done.returncode == 2
    assert "--refresh 'foo' is no cron text" in done.stderr
    assert "starting a Prefect server" not in done.stderr


@pytest.mark.parametrize(
    ("column", "nearest"),
    [("id", "Patient_ID"), ("patientid", "Patient_ID"), ("OUTCOM", "outcome"), ("nothing-like-it", None)],
)
def test_a_column_that_an_option_misnames_is_answered_with_the_nearest(column, nearest, tmp_path, monkeypatch, capsys):
    """Of many columns the first are shown and the others counted; the next step is the option, not a study file."""
    monkeypatch.chdir(tmp_path)
    names = ["Patient_ID", "outcome", *(f"original_firstorder_{number}" for number in range(30))]
    (tmp_path / "t.csv").write_text(",".join(names) + "\n" + ",".join("1" for _ in names) + "\n")
    code, message, hint = refused(capsys, "ingest", "--features", "t.csv", "--patient", column, "--outcome", "outcome")
    assert (code, hint) == (4, "--patient COLUMN; nothing was written")
    assert f"{', '.join(names[:12])}, ... and 20 more" in message
    assert message.partition("; nearest: ")[2] == (nearest or "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest", "none/study.toml"),
        ("serve", "none.toml", "--refresh", "0 3 * * *"),
        ("ingest", "--features", "none.csv", "--patient", "id", "--outcome", "y"),
    ],
)
def test_a_file_that_the_command_names_and_that_is_not_there_is_not_found(arguments, tmp_path, monkeypatch, capsys):
    """A missing file of the command line leaves with 3; nobody is sent to a study file that does not exist."""
    monkeypatch.chdir(tmp_path)
    code, _, hint = refused(capsys, *arguments)
    assert code == 3
    assert "in the study file" not in hint
    assert list(tmp_path.iterdir()) == []


def test_a_wide_answer_shows_the_columns_that_can_be_read(ready_study, capsys):
    """Of a thousand columns the first are shown in full, and what is left out is counted."""
    wide = ", ".join(f"{number} as a_rather_long_name_{number}" for number in range(1000))
    store = ("--store", str(ready_study.store_root))
    assert exit_code([*store, "sql", f"select {wide}"]) == 0
    *table, last = capsys.readouterr().out.splitlines()
    shown = table[0].split()
    assert shown == [f"a_rather_long_name_{number}" for number in range(len(shown))]
    assert last == f"and {1000 - len(shown)} more columns; --format csv or --out FILE has all"
    assert exit_code([*store, "sql", "select 1 as one, 2 as two"]) == 0
    assert "more columns" not in capsys.readouterr().out
