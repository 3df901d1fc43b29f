"""Tables that are larger than they may be, or say that they are: refused before and while they are read."""

import gzip
import io
import lzma
import os
import struct
from collections import deque
from fnmatch import fnmatchcase
from pathlib import Path

import polars as pl
import pytest

from flows.ingest.run import ingest
from flows.tables.content import table_content
from flows.tables.files import read_table
from flows.tables.patient_ids import KnownIds
from schemas.errors import ContractError, UsageError
from schemas.fault_list import FaultList
from schemas.table_limits import TABLE_CELLS, TABLE_COLUMNS, TABLE_MB, TableLimits


def refused(file: Path) -> ContractError:
    """Return the fault of a table that must not be read."""
    with pytest.raises(ContractError) as caught:
        read_table(file, "study.toml:1")
    assert caught.value.where.startswith(str(file))
    assert caught.value.hint.endswith("nothing was written")
    return caught.value


@pytest.fixture
def file(tmp_path):
    """Return where a table goes."""
    return tmp_path / "t.csv"


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bytes])
def test_a_table_of_more_megabytes_than_one_may_have_names_the_setting(file, monkeypatch, pack):
    """Packed or plain, no more is unpacked than allowed; the setting that is named allows it."""
    file.write_bytes(pack(b"id,a\n" + b"P1,1\n" * 300_000))
    monkeypatch.setenv(TABLE_MB, "1")
    fault = refused(file)
    assert "MB, and a table has at most 1 MB" in fault.message
    assert f"{TABLE_MB}=" in fault.hint
    monkeypatch.setenv(TABLE_MB, "2")
    assert read_table(file, "x").frame.shape == (300_000, 2)


def test_a_file_that_says_it_is_large_is_not_read(file):
    """A terabyte without a single block on the disk is refused by its size."""
    file.touch()
    os.truncate(file, 10**12)
    assert "has 1,000,000 MB" in refused(file).message


@pytest.mark.parametrize(("name", "word"), [(TABLE_CELLS, "40 cells"), (TABLE_COLUMNS, "4 columns")])
def test_a_table_of_more_cells_or_columns_names_the_setting(file, monkeypatch, name, word):
    """Text and Parquet alike are refused by their counts, with the number that the setting needs."""
    frame = pl.DataFrame({each: range(10) for each in "abcd"})
    for write in (frame.write_csv, frame.write_parquet):
        write(file)
        monkeypatch.setenv(name, "3")
        fault = refused(file)
        assert word in fault.message
        number = next(each for each in fault.hint.split() if each.startswith(name)).strip(",;")
        monkeypatch.setenv(*number.split("="))
        assert read_table(file, "x").frame.shape[1] == 4


@pytest.mark.parametrize("value", ["x", "-1", "0", "1.5", "\uff11", "9" * 5000])
def test_a_limit_that_is_no_number_is_a_fault_of_usage(value):
    """A variable of the environment that is no whole number above 0 is named."""
    with pytest.raises(UsageError, match=TABLE_CELLS):
        TableLimits.of_environment({TABLE_CELLS: value})


def test_xz_of_several_streams_is_read_and_one_with_a_huge_dictionary_is_refused(file):
    """Streams one behind the other are one text; a dictionary that would take 3 GB is not made."""
    file.write_bytes(lzma.compress(b"id,a\n") + lzma.compress(b"P1,1\n"))
    assert table_content(file).content == b"id,a\nP1,1\n"
    packed = bytearray(lzma.compress(b"id,a\nP1,1\n", check=lzma.CHECK_NONE))
    packed[packed.index(b"\x21\x01") + 2] = 39  # the size of the dictionary, as the filter's property codes it
    file.write_bytes(bytes(packed))
    assert "is damaged or cut off" in refused(file).message
    file.write_bytes(lzma.compress(b"id,a\nP1,1\n")[:-20])
    assert "is damaged or cut off" in refused(file).message


def parquet() -> bytes:
    """Return a small Parquet file."""
    made = io.BytesIO()
    pl.DataFrame({"id": ["P1", "P2"], "a": [1.5, None]}).write_parquet(made)
    return made.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        parquet()[:-20],
        parquet()[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1",
        parquet()[:-100] + b"\xff" * 92 + parquet()[-8:],
        b"PAR1" + b"\0" * 8 + b"PAR1",
    ],
)
def test_damaged_parquet_is_one_fault(file, content):
    """Whatever its footer says, a file that is no Parquet is named; a child process reads it."""
    file.write_bytes(content)
    assert "Parquet" in refused(file).message


def test_parquet_gives_its_values_with_their_types(file):
    """What comes back of the child process is what polars reads: numbers, truths, days, texts, and what is missing."""
    file.write_bytes(parquet())
    assert read_table(file, "x", as_text=False).frame.to_dict(as_series=False) == {"id": ["P1", "P2"], "a": [1.5, None]}
    frame = pl.DataFrame({"i": [2**60, None], "b": [True, None], "l": [[1], None], "s": ["x", None]})
    frame = frame.with_columns(d=pl.Series(["2020-01-31", None]).str.to_date())
    frame.write_parquet(file)
    read = read_table(file, "x", as_text=False).frame
    assert read.drop("l").to_dict(as_series=False) == frame.drop("l").to_dict(as_series=False)
    assert read["d"].dtype == pl.Date
    assert read["l"].to_list() == ["<List(Int64)>"] * 2


def test_a_header_of_many_columns_is_no_long_cell(file):
    """20,000 columns are read: the header is one cell with any other separator than its own."""
    names = [f"feature_{number:05}" for number in range(20_000)]
    file.write_text(",".join(names) + "\n" + ",".join("1" for _ in names) + "\n")
    assert read_table(file, "x").frame.shape == (1, 20_000)


def test_faults_without_end_are_not_counted_to_their_end(file):
    """After ten thousand faults nothing more is looked at, and the message says so in a few lines."""
    faults = FaultList()
    many = (ContractError(f"fault {line}", where=f"{file}:{line}", hint="correct it") for line in range(1_000_000))
    with pytest.raises(ContractError) as caught:
        deque((faults.add(each, "one column") for each in many), maxlen=0)
    assert caught.value.message.startswith("10000 faults, and nothing was looked at after them")
    assert len(caught.value.message.splitlines()) == 4


def test_strangers_without_end_are_compared_a_few_times(monkeypatch):
    """The nearest id is looked for a bounded number of times: each look compares one id with thousands."""
    looks = []
    monkeypatch.setattr("flows.tables.patient_ids.nearest_words", lambda *_: looks.append(1) or "")
    known = KnownIds(f"P{number}" for number in range(100))
    sentences = [known.stranger(f"Q{number}") for number in range(1000)]
    assert len(sentences) == 1000
    assert len(looks) == 20


def test_a_list_of_columns_as_long_as_the_table_is_wide_is_looked_up(tmp_path, monkeypatch):
    """Names among the patterns are not compared with every column; those that fit none are named."""
    looks = []
    monkeypatch.setattr(
        "flows.study.imported.columns.fnmatchcase", lambda *pair: looks.append(pair) or fnmatchcase(*pair)
    )
    names = [f"f{number}" for number in range(300)]
    (tmp_path / "t.csv").write_text(
        f"id,y,{','.join(names)}\n" + "".join(f"P{n},{n % 2}{',1.5' * 300}\n" for n in (1, 2))
    )
    patterns = ", ".join(f'"{name}"' for name in [*names, "g7", "f?"])
    (tmp_path / "study.toml").write_text(
        '[study]\nid = "s"\ntitle = "t"\n[cohort]\ntable = "t.csv"\npatient = "id"\n'
        f'[imported.fs]\ntable = "t.csv"\ncolumns = {{ include = [{patterns}] }}\n'
    )
    with pytest.raises(ContractError, match=r"no column of t\.csv fits 'g7'"):
        ingest(tmp_path / "study.toml", tmp_path / "store")
    assert len(looks) < 2 * 302
