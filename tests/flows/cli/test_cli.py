"""The command line: help, JSON, exit codes, what goes to stdout and what to stderr, and what is loaded for it."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from builders.command_line import printed, radzoo_run

from flows.cli.main import app
from flows.cli.verbs import ALL_VERBS, GROUPS, VERBS
from schemas.settings import DEFAULT_STORE

HEAVY = (
    "prefect",
    "torch",
    "SimpleITK",
    "duckdb",
    "radiomics",
    "sklearn",
    "sqlalchemy",
    "pyarrow",
    "polars",
    "numpy",
    "pydantic",
)


def test_hints_name_verbs_that_exist():
    """A command that an error message or a text of the code names is a verb of the command line."""
    root = Path(__file__).parents[3]
    named = set()
    for package in ("flows", "zoo", "store", "schemas"):
        for file in (root / package).rglob("*.py"):
            named |= set(
                re.findall(
                    r"radzoo (?:--store \S+ )?(?!run\b)((?:datasets|features|models|store) [a-z]+|[a-z]+)\b",
                    file.read_text(),
                )
            )
    # Words that follow the name in a sentence.
    named -= {"store here", "store as", "store", "study", "computes", "reads", "writes", "installation"}
    named -= {"admin", "and", "as", "did", "from", "is", "keeps", "makes"}
    assert named <= {*ALL_VERBS, *GROUPS}, named - set(ALL_VERBS)


def test_help_loads_no_heavy_library():
    """``radzoo --help``, ``--version``, ``-V`` answer at once: no engine, no reader of images, no numerical library."""
    code = (
        "import sys; from flows.cli.main import exit_code\n"
        "for option in ('--help', '--version', '-V'): exit_code([option])\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_a_question_does_not_load_prefect_or_image_readers(ready_study):
    """SQL is answered without the workflow engine, the image libraries and the learning libraries."""
    code = (
        "import sys; from flows.cli.main import exit_code\n"
        f"exit_code(['--store', {str(ready_study.store_root)!r}, 'sql', 'select 1'])\n"
        "print([name for name in ('prefect', 'SimpleITK', 'radiomics', 'sklearn') if name in sys.modules], "
        "file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


QUICK = {
    "list of models": ["models", "list"],
    "a model": ["models", "show", "cr"],
    "help of training": ["bench", "--help"],
    "mistyped verb": ["stroe", "log"],
    "mistyped verb of a group": ["models", "lits"],
}


@pytest.mark.parametrize("arguments", QUICK.values(), ids=QUICK.keys())
def test_looking_loads_no_library_of_learning(arguments, ready_study):
    """Models are listed, help is given and a verb is suggested without the libraries that train and save models."""
    code = (
        "import sys; from flows.cli.main import exit_code\n"
        f"exit_code(['--store', {str(ready_study.store_root)!r}, *{arguments!r}])\n"
        "print([name for name in ('torch', 'skops', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


USAGE_FAULTS = {
    "unknown verb": (["refrsh"], 'Unknown command "refrsh"'),
    "unknown verb of a group": (["store", "burn"], 'Unknown command "burn"'),
    "missing argument": (["init"], "radzoo init needs FOLDER"),
    "unknown option": (["refresh", "--fast"], "--fast"),
    "one argument too many": (["sql", "select 1", "select 2"], "select 2"),
    "no number": (["refresh", "--workers", "many"], "many"),
    "no workers": (["refresh", "--workers", "0"], ">= 1"),
    "unknown format": (["sql", "select 1", "--format", "xml"], "xml"),
}


@pytest.mark.parametrize(("arguments", "message"), USAGE_FAULTS.values(), ids=USAGE_FAULTS.keys())
def test_a_fault_of_usage_leaves_with_two(arguments, message, capsys):
    """A command that has no meaning leaves with 2, says why on stderr and how to get help, and prints no data."""
    code, out, err = printed(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    verb = arguments[0] if arguments[0] in (*VERBS, *GROUPS) else ""
    assert err.splitlines()[-1] == " ".join(f"next: radzoo {verb} --help".split())
    code, out, err = printed(capsys, "--json", *arguments)
    assert (code, out) == (2, "")
    fault = json.loads(err)
    assert (fault["error"], fault["exit_code"]) == ("UsageError", 2)
    assert message in fault["message"]


def test_exit_codes_of_real_processes(small_study):
    """One session at the shell: 3 without a store, 4 for a fault, 5 with a failure, 0 when corrected, 2 for a slip."""
    store = ("--store", str(small_study.store_root))
    done = radzoo_run(*store, "sql", "select 1")
    assert (done.returncode, done.stdout) == (3, "")
    assert "there is no radzoo store here" in done.stderr
    assert f"next: radzoo --store {small_study.store_root} ingest STUDY.toml" in done.stderr

    small_study.edit('unit = "[IU]/mL"', 'unit = "IU"')
    done = radzoo_run(*store, "ingest", str(small_study.file))
    assert (done.returncode, done.stdout) == (4, "")
    assert f"error: {small_study.file}:{small_study.line_of('unit')}: clinical.variables.afp.unit" in done.stderr
    small_study.edit('unit = "IU"', 'unit = "[IU]/mL"')

    small_study.mask_file("P1").unlink()
    done = radzoo_run(*store, "ingest", str(small_study.file))
    assert done.returncode == 5
    assert "failed: P1 AP R1.1: mask masks/P1_AP.nii.gz: file is missing" in done.stdout
    assert f"next: radzoo {' '.join(store)} refresh --study small" in done.stdout

    small_study.write_mask("P1")
    done = radzoo_run(*store, "--json", "ingest", str(small_study.file))
    assert done.returncode == 0
    assert json.loads(done.stdout)["failures"] == []
    assert "reading small: 4 of 4 patients" in done.stderr

    assert radzoo_run(*store, "refresh", "--check").returncode == 5
    assert radzoo_run(*store, "refresh", "--study", "large").returncode == 3
    assert radzoo_run(*store, "sql", "drop table masks").returncode == 2


def test_the_store_is_named_by_option_or_variable_or_lies_here(ready_study, tmp_path):
    """--store comes before RADZOO_STORE, and ./radzoo-store is where it lies without either."""
    named = {"RADZOO_STORE": str(ready_study.store_root)}
    query = ("sql", "select count(*) from masks", "--format", "csv")
    assert radzoo_run(*query, cwd=tmp_path, variables=named).stdout.split() == ['"count_star()"', "8"]
    done = radzoo_run("--store", "elsewhere", *query, cwd=tmp_path, variables=named)
    assert (done.returncode, str(tmp_path / "elsewhere") in done.stderr) == (3, True)
    done = radzoo_run(*query, cwd=tmp_path)
    assert (done.returncode, str(tmp_path / DEFAULT_STORE) in done.stderr) == (3, True)
    assert list(tmp_path.iterdir()) == []


def test_init_writes_a_study_file_that_ingest_understands(tmp_path, capsys):
    """The file that init writes parses; ingest asks for the table it names; a second init does not overwrite it."""
    code, out, _ = printed(capsys, "init", tmp_path / "new")
    file = tmp_path / "new" / "study.toml"
    assert (code, f"radzoo ingest {file}" in out) == (0, True)
    code, _, err = printed(capsys, "--store", tmp_path / "store", "ingest", file)
    assert code == 4
    assert "patients.csv' is missing" in err
    text = file.read_text()
    code, _, err = printed(capsys, "init", tmp_path / "new")
    assert (code, "there is a study file already" in err) == (2, True)
    assert file.read_text() == text
    code, out, _ = printed(capsys, "--json", "init", tmp_path / "other")
    assert json.loads(out) == {"study_file": str(tmp_path / "other" / "study.toml")}


def test_json_answers_of_the_verbs(small_study, capsys):
    """--json gives each verb's whole report, wherever the option stands, and nothing else on stdout."""
    code, out, _ = small_study.ask(capsys, "ingest", small_study.file, "--json")
    report = json.loads(out)
    assert (code, report["study"], report["commit_id"], report["masks"]) == (0, "small", 1, 8)
    code, out, _ = small_study.ask(capsys, "--json", "refresh", "--dry-run")
    planned = json.loads(out)
    (report,) = planned["feature_sets"]
    assert [each["computed"] for each in planned["plan"]["sets"]] == [8]
    assert {name: report[name] for name in ("feature_set", "features", "computed", "failed")} == {
        "feature_set": "quick@1",
        "features": 32,
        "computed": 8,
        "failed": 0,
    }
    code, out, _ = small_study.ask(capsys, "--json", "store", "log")
    assert [commit["message"] for commit in json.loads(out)] == ["ingest small"]
    code, out, _ = small_study.ask(capsys, "--json", "store", "publish")
    assert Path(json.loads(out)["file"]).name == "analyst.duckdb"


def test_errors_are_json_too(small_study, capsys):
    """With --json an error has the same fields whatever it is, and stdout stays empty."""
    cases = {
        ("sql", "select 1"): ("NotFoundError", 3),
        ("ingest", "none.toml"): ("NotFoundError", 3),
        ("demo", "--patients", "3"): ("UsageError", 2),
    }
    for arguments, (name, expected) in cases.items():
        code, out, err = small_study.ask(capsys, "--json", *arguments)
        fault = json.loads(err[err.index("{") :])
        assert (code, out) == (expected, "")
        assert set(fault) == {"error", "message", "where", "hint", "exit_code"}
        assert (fault["error"], fault["exit_code"]) == (name, expected)


def test_an_unforeseen_error_is_json_with_exit_code_one(capsys):
    """What no verb foresaw is told in the same form; a verb that only this test knows meets it."""

    def unlucky():
        """Divide by zero."""
        return 1 / 0

    app.command(unlucky, name="unlucky")
    try:
        code, out, err = printed(capsys, "--json", "unlucky")
    finally:
        del app["unlucky"]
    fault = json.loads(err)
    assert (code, out, fault["exit_code"]) == (1, "", 1)
    assert "ZeroDivisionError" in fault["message"]
    assert fault["hint"].startswith("report it with the file")


def test_init_says_why_a_file_cannot_be_written(tmp_path, capsys):
    """A folder below a file, a link loop and a name that is too long are one sentence each, with exit code 2."""
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    for folder, words in {
        "file/study": f"'{tmp_path / 'file'}' is a file, not a folder",
        "file": f"'{tmp_path / 'file'}' is a file, not a folder",
        "loop/study": "is a link that leads back to itself",
        "x" * 300: "has a name that is too long for its file system (300 bytes)",
    }.items():
        code, out, err = printed(capsys, "--json", "init", tmp_path / folder)
        fault = json.loads(err)
        assert (code, out, fault["error"]) == (2, "", "UsageError")
        assert words in fault["message"]
        assert fault["hint"].startswith("radzoo init")


QUERY = "select patient, phase, original_shape_VoxelVolume v, grey_levels from quick order by all limit 3"


def test_a_table_is_aligned_with_numbers_to_the_right(ready_study, capsys):
    """The answer for people has a header, a line under it and right-aligned numbers, and wraps nothing in a pipe."""
    code, out, _ = ready_study.ask(capsys, "sql", QUERY)
    header, rule, *rows = out.splitlines()
    assert code == 0
    assert header.split() == ["patient", "phase", "v", "grey_levels"]
    assert set(rule) == {"─"}
    assert len(rows) == 3
    assert rows[0].startswith("P1")
    assert header.index("v") == rows[0].index("240") + 2


def test_json_and_csv_give_every_digit_and_nested_values(ready_study, capsys):
    """JSON and CSV hold the value that is stored, to the last bit; a nested column is JSON within CSV."""
    stored = ready_study.sql(QUERY.replace("original_shape_VoxelVolume", "original_firstorder_Mean"))
    query = QUERY.replace("original_shape_VoxelVolume", "original_firstorder_Mean")
    _, as_json, _ = ready_study.ask(capsys, "sql", query, "--format", "json")
    _, by_option, _ = ready_study.ask(capsys, "--json", "sql", query)
    assert json.loads(as_json) == json.loads(by_option) == stored
    _, as_csv, _ = ready_study.ask(capsys, "sql", query, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(as_csv)))
    assert [float(row["v"]) for row in rows] == [row["v"] for row in stored]
    assert [json.loads(row["grey_levels"]) for row in rows] == [row["grey_levels"] for row in stored]


def test_parquet_goes_to_a_file_only(ready_study, capsys, tmp_path):
    """A Parquet answer is written to --out with its types; without a file it is refused."""
    file = tmp_path / "answer.parquet"
    code, out, _ = ready_study.ask(capsys, "sql", QUERY, "--format", "parquet", "--out", file)
    assert (code, out) == (0, f"3 rows in {file}\n")
    assert pq.read_table(file).to_pylist() == ready_study.sql(QUERY)
    code, out, err = ready_study.ask(capsys, "sql", QUERY, "--format", "parquet")
    assert (code, out, "--out FILE.parquet" in err) == (2, "", True)


def test_out_takes_the_other_formats_and_needs_its_folder(ready_study, capsys, tmp_path):
    """--out writes what stdout would have had; a folder that is not there is a fault of usage."""
    file = tmp_path / "answer.csv"
    _, on_stdout, _ = ready_study.ask(capsys, "sql", QUERY, "--format", "csv")
    code, out, _ = ready_study.ask(capsys, "--json", "sql", QUERY, "--format", "csv", "--out", file)
    assert (code, json.loads(out)) == (0, {"rows": 3, "file": str(file)})
    assert file.read_text() == on_stdout
    code, _, err = ready_study.ask(capsys, "sql", QUERY, "--out", tmp_path / "none" / "answer.csv")
    assert (code, "no such folder" in err) == (2, True)
    code, _, err = ready_study.ask(capsys, "sql", QUERY, "--out", tmp_path, "--format", "csv")
    assert (code, "this is a folder" in err) == (2, True)


def test_columns_of_one_name_are_told_apart(ready_study, capsys):
    """A join that gives two columns one name shows both values, in every format."""
    query = "select 1 as a, 2 as a, 3 as a_1"
    expected = [{"a": 1, "a_1": 2, "a_1_1": 3}]
    _, out, _ = ready_study.ask(capsys, "--json", "sql", query)
    assert json.loads(out) == expected
    _, out, _ = ready_study.ask(capsys, "sql", query)
    assert [line.split() for line in out.splitlines()[::2]] == [["a", "a_1", "a_1_1"], ["1", "2", "3"]]


def test_values_of_any_sql_type_can_be_printed(ready_study, capsys):
    """Dates, intervals, bytes, decimals, uuids, nested dates, NaN and NULL come out in JSON, CSV and as a table."""
    query = (
        "select date '2020-02-29' d, timestamp '2020-02-29 12:00:00' t, interval 3 day i, 'a'::blob b, "
        "1.25::decimal(6, 2) n, uuid() u, [date '2020-02-29'] l, {'x': 1.5} s, 'nan'::double f, null e"
    )
    code, out, _ = ready_study.ask(capsys, "--json", "sql", query)
    (row,) = json.loads(out)
    assert code == 0
    assert (row["d"], row["n"], row["l"], row["s"]) == ("2020-02-29", 1.25, ["2020-02-29"], {"x": 1.5})
    assert (row["f"], row["e"]) == (None, None)
    code, out, _ = ready_study.ask(
        capsys, "sql", query.replace("interval 3 day i, 'a'::blob b, ", ""), "--format", "csv"
    )
    (row,) = csv.DictReader(io.StringIO(out))
    assert (code, row["d"], row["l"], row["s"]) == (0, "2020-02-29", '["2020-02-29"]', '{"x": 1.5}')
    code, out, _ = ready_study.ask(capsys, "sql", query)
    assert (code, "2020-02-29" in out) == (0, True)


def test_a_row_of_nothing_is_a_row(ready_study, capsys):
    """A NULL in the last line of a CSV is not lost with the line end."""
    _, out, _ = ready_study.ask(capsys, "sql", "from (values (1), (null)) t(a)", "--format", "csv")
    assert out == '"a"\n1\n\n'
    _, out, _ = ready_study.ask(capsys, "sql", "select 1 as a where false", "--format", "csv")
    assert out == '"a"\n'


def test_a_question_comes_from_stdin_too(ready_study):
    """``-`` reads the question from standard input; stdout has the answer and stderr nothing."""
    done = ready_study.run("sql", "-", "--format", "csv", stdin="select count(*) as n from masks;\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, '"n"\n8\n', "")


def test_parameters_fill_a_question(ready_study, capsys):
    """--param gives a value for $name, several times, as text or number as the column needs, and never as SQL."""
    query = "select count(*) n from masks where patient = $p and lesion_voxels > $v"
    _, out, _ = ready_study.ask(capsys, "--json", "sql", query, "--param", "p=P1", "--param", "v=99")
    assert json.loads(out) == [{"n": 2}]
    _, out, _ = ready_study.ask(capsys, "--json", "sql", query, "--param", "p=P1", "--param", "v=1000")
    assert json.loads(out) == [{"n": 0}]
    _, out, _ = ready_study.ask(capsys, "--json", "sql", query, "--param", "p=P1' or '1'='1", "--param", "v=9")
    assert json.loads(out) == [{"n": 0}]
    code, _, err = ready_study.ask(capsys, "sql", query, "--param", "p")
    assert (code, "'p' is not name=value" in err) == (2, True)
    code, _, err = ready_study.ask(capsys, "sql", query)
    assert code == 2


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("select from where", 2),
        ("", 2),
        ("select 1; select 2", 2),
        ("delete from masks", 2),
        ("copy masks to 'masks.csv'", 2),
        ("select * from nowhere", 3),
        ("select nothing from masks", 3),
        ("select * from read_csv('/etc/hostname')", 2),
    ],
)
def test_a_question_that_cannot_be_answered_leaves_with_its_code(ready_study, capsys, query, code):
    """What is not one reading statement is refused (2), what does not exist is not found (3)."""
    got, out, err = ready_study.ask(capsys, "sql", query)
    assert (got, out) == (code, "")
    assert err.startswith("error: ")


def test_an_answer_as_of_a_commit_is_that_of_then(small_study, capsys):
    """--as-of answers from the store as it was; a commit that never was is not found."""
    small_study.ingest()
    small_study.edit("12,male", "13,male", file="patients.csv")
    small_study.ingest()
    query = "select value from clinical where patient = 'P1' and variable = 'afp'"
    answers = [json.loads(small_study.ask(capsys, "--json", "sql", query, "--as-of", n)[1]) for n in (1, 2)]
    assert answers == [[{"value": 12.0}], [{"value": 13.0}]]
    for never in (0, 3):
        code, out, err = small_study.ask(capsys, "sql", query, "--as-of", never)
        assert (code, out) == (3, "")
        assert f"there is no commit {never}\nnext: commits run from 1 to 2" in err


def test_a_reader_that_has_had_enough_is_no_error(ready_study):
    """A pipe that is closed early, as by head, ends the command without a word."""
    query = "from range(200000)"
    command = [sys.executable, "-c", "from flows.cli.main import main; main()", "--store", str(ready_study.store_root)]
    with subprocess.Popen(
        [*command, "sql", query, "--format", "csv"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout.readline() == b'"range"\n'
        running.stdout.close()
        err = running.stderr.read()
    assert err == b""


def test_the_log_lists_the_newest_commits_first(small_study, capsys):
    """Store log shows commit, time, author and message, and no more than asked for."""
    small_study.ingest()
    small_study.refresh_without_prefect()
    _, out, _ = small_study.ask(capsys, "store", "log")
    assert [line.split()[0] for line in out.splitlines()[2:]] == ["2", "1"]
    assert "refresh small quick@1" in out
    _, out, _ = small_study.ask(capsys, "store", "log", "--limit", "1")
    assert [line.split()[0] for line in out.splitlines()[2:]] == ["2"]


def test_a_model_that_is_not_in_the_zoo_is_not_found(ready_study, capsys):
    """Train names the nearest members; a study without a model table says what to add."""
    code, _, err = ready_study.ask(capsys, "train", "radiomic_lr")
    assert (code, "nearest: radiomics_lr" in err) == (3, True)
    code, _, err = ready_study.ask(capsys, "bench")
    assert (code, "[models.NAME]" in err) == (4, True)


def test_serve_asks_for_a_schedule(ready_study, capsys):
    """Serve without a schedule has nothing to do, and says how one is given, before any server starts."""
    code, out, err = ready_study.ask(capsys, "serve", ready_study.file)
    assert (code, out) == (2, "")
    assert '--refresh "0 3 * * *"' in err


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (("--report", "page.html"), "--report-file page.html says where; --report by-hand"),
        (("--refresh", "by-hand", "--report-file", "page.html"), '--report "0 6 * * *"'),
        (("--report", "by-hand", "--report-file", "none/page.html"), "mkdir none"),
        (("--refresh", "by-hand", "--monitor-by", "sex"), '--monitor "0 5 * * 1"'),
    ],
)
def test_serve_says_which_option_says_when_and_which_where(ready_study, capsys, options, hint):
    """A verb's option is its schedule; what a run needs besides has another, refused where nothing would read it."""
    code, out, err = ready_study.ask(capsys, "serve", ready_study.file, *options)
    assert (code, out) == (2, "")
    assert f"next: {hint}" in err


def test_a_work_pool_is_of_a_server_that_is_named(small_study, monkeypatch):
    """The server that serve would start for itself ends with it, and no worker could ask it for work."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    done = radzoo_run("serve", str(small_study.file), "--refresh", "by-hand", "--work-pool", "imaging")
    assert done.returncode == 2
    assert "PREFECT_API_URL=http://HOST:4200/api" in done.stderr


def test_python_m_radzoo_is_the_command_line():
    """``python -m radzoo -V`` gives the version that ``radzoo --version`` gives."""
    module = subprocess.run([sys.executable, "-m", "radzoo", "-V"], capture_output=True, text=True, check=False)
    assert module.returncode == 0
    assert module.stdout == radzoo_run("--version").stdout == radzoo_run("-V").stdout


def test_a_terminal_without_unicode_gets_codes_and_no_traceback(ready_study):
    """Where the output's encoding lacks a character, its code is printed."""
    question = ("--store", str(ready_study.store_root), "sql", "select 'lésion ─' as name")
    run = radzoo_run(*question, variables={"PYTHONIOENCODING": "ascii"})
    assert run.returncode == 0
    assert r"l\xe9sion \u2500" in run.stdout
    assert "Traceback" not in run.stderr
