"""Every verb with paths that no file can have or nobody may use: the cause in one line, an exit code, a next step."""

import os

import pytest

from flows.cli.main import exit_code

READING = ("missing", "folder", "below a file", "link loop", "long name", "nul", "not text", "unreadable")
WRITING = ("below a file", "link loop", "long name", "nul", "in an unwritable folder")
READERS = {
    "ingest": ["ingest", "{path}"],
    "ingest --features": ["ingest", "--features", "{path}", "--patient", "id", "--outcome", "y"],
    "serve": ["serve", "{path}", "--refresh", "0 3 * * *"],
    "predict --model-folder": ["predict", "--model-folder", "{path}"],
}
WRITERS = {
    "init": ["init", "{path}"],
    "sql --out": ["sql", "select 1", "--out", "{path}"],
    "sql --format parquet --out": ["sql", "select 1", "--format", "parquet", "--out", "{path}"],
    "predict --out": ["predict", "cr", "--out", "{path}.csv"],
    "models explain --out": ["models", "explain", "radiomics_lr", "--out", "{path}.csv"],
    "report --out": ["report", "--out", "{path}"],
    "monitor --out": ["monitor", "--out", "{path}.csv"],
    "store overview --out": ["store", "overview", "--out", "{path}"],
    "dicom": ["dicom", "{path}"],
    "models export": ["models", "export", "cr", "{path}"],
    "store export": ["store", "export", "{path}"],
    "store erase --receipt": ["store", "erase", "T01", "--receipt", "{path}"],
}
ON_STORE = {
    "ingest": ["ingest", "{study}"],
    "expect": ["expect"],
    "look": ["look"],
    "refresh": ["refresh"],
    "sql": ["sql", "from studies"],
    "train": ["train"],
    "embed": ["embed", "dl_resnet10"],
    "bench": ["bench"],
    "predict": ["predict", "cr"],
    "report": ["report"],
    "monitor": ["monitor"],
    "dicom": ["dicom", "{path}-dicom"],
    "features list": ["features", "list"],
    "features search": ["features", "search", "entropy"],
    "features describe": ["features", "describe", "quick"],
    "features diff": ["features", "diff", "quick@1", "quick@1"],
    "features coverage": ["features", "coverage"],
    "features stability": ["features", "stability", "quick"],
    "datasets list": ["datasets", "list"],
    "datasets show": ["datasets", "show", "abc"],
    "datasets rebuild": ["datasets", "rebuild", "--all"],
    "models list": ["models", "list"],
    "models show": ["models", "show", "cr"],
    "models card": ["models", "card", "cr"],
    "models export": ["models", "export", "cr", "{path}-model"],
    "models explain": ["models", "explain", "radiomics_lr"],
    "store overview": ["store", "overview"],
    "store export": ["store", "export", "{path}-export"],
    "store init": ["store", "init"],
    "store compact": ["store", "compact"],
    "store erase": ["store", "erase", "T01", "--dry-run"],
    "store log": ["store", "log"],
    "store publish": ["store", "publish"],
    "store verify": ["store", "verify"],
}
STORES = ("link loop", "unreadable", "catalogue is a folder")
FURTHER_STORES = ("below a file", "a file", "long name", "nul")


def hostile_path(kind, folder):
    """Return a path of a kind, below a folder, for what it needs was made there."""
    (folder / "file").write_text("nothing")
    (folder / "loop").symlink_to("loop")
    (folder / "closed").mkdir()
    (folder / "closed" / "file").write_text("nothing")
    if kind in ("unreadable", "in an unwritable folder"):
        (folder / "closed").chmod(0o500 if kind == "in an unwritable folder" else 0)
        if os.access(folder / "closed", os.W_OK):
            pytest.skip("this account may read and write everything")
    (folder / "catalogued" / "catalogue.sqlite").mkdir(parents=True)
    return {
        "missing": folder / "none" / "nothing",
        "a file": folder / "file",
        "folder": folder,
        "below a file": folder / "file" / "below",
        "link loop": folder / "loop" / "below",
        "long name": folder / ("n" * 300),
        "nul": f"{folder}/a\0b",
        "not text": f"{folder}/none\udcff/nothing",
        "unreadable": folder / "closed" / "file",
        "in an unwritable folder": folder / "closed" / "new",
        "catalogue is a folder": folder / "catalogued",
    }[kind]


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """Return a function that gives a path of a kind; what is written by the way lands in a folder of the test."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "paths").mkdir()
    yield lambda kind: str(hostile_path(kind, tmp_path / "paths"))
    (tmp_path / "paths" / "closed").chmod(0o700)


def refused(arguments, capsys):
    """Run a command line, see that it is refused in a line with a next step, and return code and stderr."""
    capsys.readouterr()
    code = exit_code([str(each) for each in arguments])
    out, err = capsys.readouterr()
    assert code in (1, 2, 3, 4), (code, out, err)
    assert "error: " in err
    assert "\nnext: " in err
    assert "fault of radzoo" not in err
    assert "Traceback" not in err
    return code, err


def filled(arguments, **values):
    """Return a command line with its places filled."""
    return [each.format(**values) for each in arguments]


@pytest.mark.parametrize("kind", READING)
@pytest.mark.parametrize("verb", READERS)
def test_a_file_that_cannot_be_read_is_named(ready_study, hostile, capsys, verb, kind):
    """A study file, a table or a model's folder that is none is refused in one line."""
    arguments = filled(READERS[verb], path=hostile(kind))
    refused(["--store", ready_study.store_root, *arguments], capsys)


@pytest.mark.parametrize("kind", WRITING)
@pytest.mark.parametrize("verb", WRITERS)
def test_a_place_that_cannot_be_written_is_named(trained_study, hostile, capsys, verb, kind):
    """An output that cannot be written is refused in one line."""
    arguments = filled(WRITERS[verb], path=hostile(kind))
    refused(["--store", trained_study.store_root, *arguments], capsys)


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("verb", ON_STORE)
def test_a_store_that_cannot_be_opened_is_named(ready_study, hostile, capsys, verb, kind):
    """Every verb refuses a store that cannot be opened in one line."""
    path = hostile(kind)
    refused(["--store", path, *filled(ON_STORE[verb], path=path, study=ready_study.file)], capsys)


@pytest.mark.parametrize("kind", FURTHER_STORES)
@pytest.mark.parametrize("verb", ["ingest", "sql", "store init", "store verify"])
def test_a_path_that_no_store_can_have_is_named(ready_study, hostile, capsys, verb, kind):
    """A store's path that no folder can have is refused, by verbs that make a store and by those that open one."""
    path = hostile(kind)
    refused(["--store", path, *filled(ON_STORE[verb], path=path, study=ready_study.file)], capsys)
