"""The verb sql: what a table shows, what a file holds, and what no file is written over."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import resource
import subprocess
import sys
import zipfile

import pyarrow.parquet as pq
import pytest
from builders.command_line import printed

from store.home import Store

TYPES = "select * exclude (empty_struct) from test_all_types()"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Return the folder of an empty store: DuckDB makes the rows that are asked for."""
    folder = tmp_path_factory.mktemp("asked") / "store"
    Store(folder, create=True)
    return folder


@pytest.fixture
def sql(root, capsysbinary):
    """Return a function that asks a question and gives exit code, stdout and stderr."""

    def ask(*arguments, as_json=False):
        code, out, err = printed(capsysbinary, *(["--json"] * as_json), "--store", root, "sql", *arguments)
        return code, out.decode(), err.decode()

    return ask


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.json", "a.PARQUET"])
def test_a_file_obeys_its_suffix(sql, tmp_path, name):
    """What --out writes is what the suffix says, with no --format."""
    file = tmp_path / name
    code, out, err = sql("select 1 as a, 'x,y' as b", "--out", file)
    assert (code, out, err) == (0, f"1 row in {file}\n", "")
    if name.endswith("csv"):
        assert file.read_text() == '"a","b"\n1,"x,y"\n'
    elif name.endswith("tsv"):
        assert file.read_text() == '"a"\t"b"\n1\t"x,y"\n'
    elif name.endswith("json"):
        assert json.loads(file.read_text()) == [{"a": 1, "b": "x,y"}]
    else:
        assert pq.read_table(file).to_pylist() == [{"a": 1, "b": "x,y"}]
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--out", "a.txt"],
            "'.txt' is no suffix that is known\nnext: end it with one of .csv, .tsv, .json,",
        ),
        (["--out", "a"], "the file has no suffix"),
        (["--out", "a.csv", "--format", "json"], "--format json contradicts the suffix of a.csv\nnext: --out a.json"),
        (["--out", "a.csv", "--format", "table"], "a table is for a terminal"),
        (["--out", "none/a.csv"], "there is no such folder"),
        (["--out", "."], "the file has no suffix"),
        (["--out", f"{'a' * 300}.csv"], "this place cannot be used: File name too long"),
        (["--format", "parquet"], "add --out FILE.parquet"),
        (["--format", "xlsx"], "add --out FILE.xlsx"),
        (["--limit", "0"], "Must be >= 1"),
    ],
)
def test_what_cannot_be_written_is_refused_before_it_is_asked(sql, tmp_path, monkeypatch, arguments, said):
    """A suffix that is unknown, contradicted or lacking, and a place that is none: exit code 2 and the next step."""
    monkeypatch.chdir(tmp_path)
    code, out, err = sql("select 1 as a", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_only_with_force(sql, tmp_path):
    """A file, a folder and even a broken link stay as they are; --force replaces a file, through a link its target."""
    file, link = tmp_path / "a.csv", tmp_path / "link.csv"
    file.write_text("mine")
    link.symlink_to(tmp_path / "nowhere.csv")
    (tmp_path / "folder.csv").mkdir()
    for place, said in ((file, "the file is there already"), (link, "the file is there"), ("folder.csv", "a folder")):
        code, _, err = sql("select 1 as a", "--out", tmp_path / place)
        assert (code, said in err) == (2, True)
    assert file.read_text() == "mine"
    assert sql("select 1 as a", "--out", file, "--force")[0] == 0
    assert file.read_text() == '"a"\n1\n'
    link.unlink()
    link.symlink_to(file)
    assert sql("select 2 as a", "--out", link, "--force")[0] == 0
    assert link.is_symlink()
    assert file.read_text() == '"a"\n2\n'
    code, _, err = sql("select 1 as a", "--out", tmp_path / "folder.csv", "--force")
    assert (code, "this is a folder" in err) == (2, True)


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_what_fails_half_way_leaves_no_file(sql, tmp_path, suffix):
    """An error in the millionth row leaves neither a file nor a part of one, and an old file as it was."""
    file = tmp_path / f"a.{suffix}"
    file.write_text("mine")
    query = "select case when range > 30000 then error('in row ' || range) else 'x' end as a from range(40000)"
    code, out, err = sql(query, "--out", file, "--force")
    assert (code, out) == (2, "")
    assert "in row 30001" in err
    assert file.read_text() == "mine"
    assert [each.name for each in tmp_path.iterdir()] == [file.name]


def test_a_full_disk_is_one_line(root, tmp_path):
    """Where no more bytes can be written, nothing is left and the cause is said: exit code 1."""
    command = [sys.executable, "-c", "from flows.cli.main import main; main()", "--store", str(root), "sql"]
    done = subprocess.run(
        [*command, "from range(100000)", "--out", str(tmp_path / "a.csv")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "the file cannot be written: File too large\nnext: make room" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_table_stops_at_a_hundred_rows_and_says_so(sql):
    """People see 100 rows and read how many there are; what is complete says nothing more."""
    code, out, err = sql("from range(700000)")
    assert (code, len(out.splitlines())) == (0, 102)
    assert err == "100 of 700,000 rows; --limit N shows more, --out FILE.csv has all\n"
    _, out, err = sql("from range(100)")
    assert (len(out.splitlines()), err) == (102, "")
    _, out, err = sql("from range(700)", "--limit", 650)
    assert (len(out.splitlines()), err[:18]) == (652, "650 of 700 rows; -")


def test_csv_and_json_are_complete(sql):
    """Every row comes through stdout in order, --limit or not, and NaN and infinity are null in JSON."""
    query = "select i, if(i % 2 = 0, 'nan'::double, 'inf'::double) as x from range(30000) r(i) order by i desc"
    _, out, err = sql(query, "--format", "csv")
    assert err == ""
    assert [int(row["i"]) for row in csv.DictReader(io.StringIO(out))] == list(range(29999, -1, -1))
    for arguments, as_json in ((["--format", "json"], False), ([], True)):
        _, out, _ = sql(query, *arguments, as_json=as_json)
        rows = json.loads(out)
        assert [row["i"] for row in rows] == list(range(29999, -1, -1))
        assert {row["x"] for row in rows} == {None}
    assert json.loads(sql(query, "--limit", 2, as_json=True)[1]) == [{"i": 29999, "x": None}, {"i": 29998, "x": None}]
    assert json.loads(sql("select 1 as a where false", as_json=True)[1]) == []


@pytest.mark.parametrize("form", ["table", "csv", "tsv", "json"])
def test_every_type_of_sql_is_printed(sql, form):
    """Dates beyond Python's, intervals, bits, 128-bit integers, unions and nested ones come out in every format."""
    code, out, err = sql("from test_all_types()", "--format", form)
    assert (code, err) == (0, "")
    if form == "json":
        _, row, nothing = json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
        assert row["hugeint"] == 2**127 - 1
        assert row["uhugeint"] == 2**128 - 1
        assert row["interval"] == "83 years 3 months 999 days 00:16:39.999999"
        assert row["timestamp_ns"] == "2262-04-11 23:47:16.854775806"
        assert row["uuid"] == "f" * 8 + "-ffff-ffff-ffff-" + "f" * 12
        assert row["double_array"] == [42.0, None, None, None, None, -42.0]
        assert row["map"] == {"key1": "🦆🦆🦆🦆🦆🦆", "key2": "goose"}
        assert row["date"] == "5881580-07-10"
        assert set(nothing.values()) == {None}


def test_every_type_of_sql_goes_into_a_file(sql, tmp_path):
    """Parquet keeps types and writes as text what it has no type for."""
    assert sql(TYPES, "--out", tmp_path / "a.parquet")[0] == 0
    table = pq.read_table(tmp_path / "a.parquet")
    assert table["bigint"].to_pylist()[1] == 2**63 - 1
    assert table["interval"].to_pylist()[0] == "00:00:00"
    assert str(table.schema.field("timestamp_ns").type) == "timestamp[ns]"
    code, _, err = sql("select empty_struct from test_all_types()", "--out", tmp_path / "b.parquet")
    assert code == 4
    assert "parquet cannot hold this answer" in err
    assert not (tmp_path / "b.parquet").exists()


def test_a_cell_cannot_write_to_the_terminal(sql):
    """Control characters are shown, not sent, and a long text is cut with a sign of it."""
    _, out, _ = sql("select chr(27) || '[31m' as a, repeat('x', 5000) as b")
    assert "\x1b" not in out
    assert "\\x1b[31m" in out
    assert "x" * 400 + "…" in out
    _, out, _ = sql("select repeat('x', 5000) as b", "--format", "csv")
    assert "x" * 5000 in out


def test_columns_that_find_no_room_are_counted(sql):
    """A table of 300 wide columns shows those that fit and says how many are left out; CSV has all."""
    query = "select " + ", ".join(f"'{'v' * 30}' as column_{number}" for number in range(300))
    _, out, _ = sql(query)
    assert all(len(line) <= 4000 for line in out.splitlines())
    shown = len(out.splitlines()[0].split())
    assert f"and {300 - shown} more columns; --format csv or --out FILE has all" in out
    _, out, _ = sql(query, "--format", "csv")
    assert len(out.splitlines()[0].split(",")) == 300


@pytest.mark.parametrize("text", ["select '\udcff'", "select $p"])
def test_what_is_no_text_is_refused(sql, text):
    """A byte that is no UTF-8, in the query or in a parameter, is named by its place: exit code 2."""
    code, out, err = sql(text, *(["--param", "p=\udcff"] if "$" in text else []))
    assert (code, out) == (2, "")
    assert re.search("character (9|1) of the query or a parameter is no text", err)


def sheet_of(file):
    """Return the rows of a workbook's sheet: of each cell its XML."""
    with zipfile.ZipFile(file) as archive:
        xml = archive.read("xl/worksheets/sheet1.xml").decode()
    return [re.findall(r"<c [^>]*?(?:/>|>.*?</c>)", row) for row in re.findall(r"<row .*?</row>", xml)]


def test_a_workbook_has_numbers_dates_and_texts(sql, tmp_path):
    """Numbers and dates are such; what begins like a formula, and what Excel cannot hold exactly, is text."""
    pytest.importorskip("xlsxwriter")
    query = (
        "select 1.5 as n, date '2020-02-03' as d, '=1+1' as f, '+2' as p, '@x' as a, '-3' as m, "
        "12345678901234567890::hugeint as h, 'nan'::double as nan, true as b, date '1800-01-01' as old"
    )
    file = tmp_path / "a.xlsx"
    assert sql(query, "--out", file)[0] == 0
    header, (number, day, *texts, flag, old) = sheet_of(file)
    assert len(header) == 10
    assert "<v>1.5</v>" in number
    assert "<v>43864</v>" in day
    assert 't="b"' in flag
    for cell, text in zip(
        [*texts, old], ["=1+1", "+2", "@x", "-3", "12345678901234567890", "nan", "1800-01-01"], strict=True
    ):
        assert 't="inlineStr"' in cell
        assert f">{text}</t>" in cell
        assert "<f>" not in cell


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select " + ", ".join(f"1 as c{number}" for number in range(16385)), "a sheet holds 16,384 columns"),
        ("select repeat('x', 32768) as a", "a cell holds 32,767 characters, row 1 of a has 32,768"),
    ],
)
def test_what_a_sheet_cannot_hold_is_refused(sql, tmp_path, query, said):
    """More columns or longer texts than a sheet has room for are no file: exit code 4."""
    pytest.importorskip("xlsxwriter")
    code, _, err = sql(query, "--out", tmp_path / "a.xlsx")
    assert (code, said in err) == (4, True)
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_has_a_last_row(sql, tmp_path, monkeypatch):
    """One row more than a sheet has below its header is refused; as many as it has are written."""
    pytest.importorskip("xlsxwriter")
    monkeypatch.setattr("flows.cli.answers.workbook._MOST_ROWS", 3000)
    assert sql("from range(3000)", "--out", tmp_path / "a.xlsx")[0] == 0
    code, _, err = sql("from range(3001)", "--out", tmp_path / "b.xlsx")
    assert (code, "a sheet holds 3,000 rows below its header" in err) == (4, True)
    assert [each.name for each in tmp_path.iterdir()] == ["a.xlsx"]
