"""``radzoo doctor``: every fault of set-up that is planted is found, and none of them breaks it."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest
from builders.command_line import radzoo_run

from flows.doctor import libraries, machine
from flows.doctor.finding import Finding, carefully
from flows.doctor.libraries import DECIDING, pyradiomics_findings, version_findings
from flows.doctor.machine import cache_findings, room_finding, temporary_findings
from flows.doctor.probe import probe_findings
from flows.doctor.store_place import network_file_system, store_findings
from schemas.errors import UsageError
from store.home import Store

ROOT = Path(__file__).parents[3]


def plant_distribution(folder: Path, name: str, version: str) -> None:
    """Write the metadata of a distribution, as pip leaves it."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def by_name(findings):
    """Return the last finding of each thing that was looked at."""
    return {each["what"] if isinstance(each, dict) else each.what: each for each in findings}


@pytest.mark.slow
def test_every_planted_fault_is_found_in_one_run(tmp_path):
    """Compiler, versions, a library that crashes, Prefect, store, folders: each a line, exit code 5, no traceback."""
    fake = tmp_path / "site"
    plant_distribution(fake, "SimpleITK", "2.5.0")
    plant_distribution(fake, "pyradiomics", "3.0.1")
    plant_distribution(fake, "numpy", "1.26.4")
    (fake / "xgboost.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "a file").write_text("")
    variables = {
        "PYTHONPATH": os.pathsep.join([str(fake), os.environ.get("PYTHONPATH", "")]),
        "PATH": str(tmp_path / "bin"),
        "PREFECT_LOGGING_LEVEL": "LOUD",
        "TMPDIR": str(tmp_path / "nonsuch"),
        "MPLCONFIGDIR": str(tmp_path / "a file" / "fonts"),
        "RADZOO_STORE": str(tmp_path / "a file"),
    }
    run = radzoo_run("doctor", "--json", variables=variables)
    assert run.returncode == 5
    assert run.stderr == ""
    found = by_name(json.loads(run.stdout))
    states = {
        "C compiler": "warning",
        "SimpleITK": "warning",
        "pyradiomics": "warning",
        "numpy": "missing",
        "xgboost-cpu": "missing",
        "Prefect": "missing",
        "temporary folder": "warning",
        "fonts": "warning",
        "store": "missing",
    }
    texts = [each for each in json.loads(run.stdout) if each["what"] in states and each["state"] != "ok"]
    assert {each["what"]: each["state"] for each in texts} == states
    assert all(each["next_step"] for each in texts)
    assert "feature sets get a new version" in found["SimpleITK"]["found"]
    assert found["xgboost-cpu"]["found"] == "crashes: SIGSEGV"
    assert "PREFECT_LOGGING_LEVEL='LOUD'" in found["Prefect"]["found"]
    assert "two builds of one module" in found["pyradiomics"]["found"]


@pytest.mark.slow
def test_a_machine_where_every_verb_works_has_exit_code_0(tmp_path):
    """The machine on which the tests run lacks nothing; the table has a line for each thing that was looked at."""
    run = radzoo_run("--store", str(tmp_path / "store"), "doctor")
    assert run.returncode == 0, run.stdout
    assert re.search(r"^ok +Python +3\.", run.stdout, re.MULTILINE)
    assert run.stdout.splitlines()[-1].startswith(("every verb works here", "0 missing"))
    assert not (tmp_path / "store").exists()


def test_tested_versions_are_those_of_the_constraints():
    """The versions that doctor compares with are pinned in constraints.txt."""
    pins = (ROOT / "constraints.txt").read_text().lower().splitlines()
    for name, version in DECIDING.items():
        assert f"{name}=={version}".lower() in pins
    assert f"pyradiomics-bhklab=={libraries._FORK_VERSION}" in pins


@pytest.mark.parametrize(
    ("installed", "state", "text"),
    [
        ({"pyradiomics-bhklab": "3.1.4"}, "ok", "gives the values of 3.0.1"),
        ({"pyradiomics": "3.0.1"}, "ok", "gives the values of 3.0.1"),
        ({"pyradiomics-bhklab": "3.1.4", "pyradiomics": "3.0.1"}, "warning", "two builds of one module"),
        ({"pyradiomics-bhklab": "4.0.0"}, "warning", "feature sets get a new version"),
        ({"pyradiomics": "3.1.0"}, "warning", "pyradiomics 3.1.0: feature sets get a new version"),
    ],
)
def test_builds_of_pyradiomics_are_told_apart(installed, state, text, tmp_path, monkeypatch):
    """The build whose values were compared is well; another one, or two at once, is warned of."""
    for name, version in installed.items():
        plant_distribution(tmp_path, name, version)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    found = by_name(pyradiomics_findings())["pyradiomics"]
    assert (found.state, text in found.found) == (state, True)


def test_a_requirement_that_is_not_met_is_missing(tmp_path, monkeypatch):
    """What is not installed and what is too old have the command that installs them; networks' libraries say so."""
    plant_distribution(tmp_path, "radzoo", "1")
    with next(tmp_path.glob("radzoo*")).joinpath("METADATA").open("a") as metadata:
        metadata.write("Requires-Dist: torch<3,>=2.9\nRequires-Dist: numpy>=2.0\n")
        metadata.write('Requires-Dist: pytest>=9; extra == "dev"\n')
    plant_distribution(tmp_path, "numpy", "1.26.4")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    found = by_name(version_findings())
    assert found.keys() == {"torch", "numpy"}
    assert found["torch"].state == found["numpy"].state == "missing"
    assert found["torch"].needed_for.startswith("networks")
    assert found["numpy"].next_step == "pip install 'numpy>=2.0'"


def test_a_check_that_fails_is_a_finding():
    """Neither an error of ours nor one of a library leaves a check."""

    def ours():
        raise UsageError("wrong", where="here", hint="a command")

    def other():
        raise OSError(5, "Input/output error")

    assert carefully("it", "all", ours) == [Finding("missing", "it", "here: wrong", "all", "a command")]
    (found,) = carefully("it", "all", other)
    assert found.state == "missing"
    assert found.found == "Input/output error"


def test_a_check_that_hangs_is_given_up(tmp_path):
    """A process that does not answer in time is a finding that says so."""
    (found,) = probe_findings("store_place", str(tmp_path), what="store", needed_for="all", patience_s=0.001)
    assert (found.state, found.found) == ("missing", "gives no answer within 0.001 s")
    # Slow is not broken: to install anything again comes second.
    assert (found.next_step or "").startswith("radzoo doctor once the machine is less busy")


def test_a_store_that_may_not_be_written_is_found_by_an_account_that_may_not(tmp_path):
    """A folder below a file, and a file, are no place for a store."""
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "store"):
        assert by_name(store_findings(place))["store"].state == "missing"
    found = by_name(store_findings(tmp_path / "new"))
    assert found["store"].state == "ok"
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("address", "what", "text"),
    [
        ('catalogue = "postgresql://u:secret@127.0.0.1:9/d"', "PostgreSQL", "does not answer: Connection refused"),
        ('catalogue = "mysql://u@h/d"', "PostgreSQL", "is no catalogue that radzoo writes"),
        ('data = "s3://b/p?scheme=http&endpoint_override=127.0.0.1:9"', "S3", "does not answer: Connection refused"),
        ("catalog = 'x'", "store", "unknown key 'catalog'"),
        ("no TOML", "store", "not TOML"),
    ],
)
def test_a_server_that_does_not_answer_is_found(address, what, text, tmp_path):
    """PostgreSQL, S3 and the file that names them: what is wrong is missing, with its next step, without passwords."""
    (tmp_path / "store.toml").write_text(address)
    found = by_name(store_findings(tmp_path))[what]
    assert (found.state, text in found.found) == ("missing", True)
    assert found.next_step
    assert "secret" not in str(found)


def test_the_stores_format_is_read_without_opening_it(tmp_path):
    """A store of this release is well, one of a newer release and a file that is no catalogue are missing."""
    Store(tmp_path, create=True).engine.dispose()
    assert by_name(store_findings(tmp_path))["catalogue"].state == "ok"
    with sqlite3.connect(tmp_path / "catalogue.sqlite") as catalogue:
        catalogue.execute(
            "UPDATE store_format SET version = 1000 WHERE version = (SELECT max(version) FROM store_format)"
        )
    catalogue.close()
    newer = by_name(store_findings(tmp_path))["catalogue"]
    assert (newer.state, "this release reads up to" in newer.found) == ("missing", True)
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    (tmp_path / "catalogue.sqlite").write_bytes(b"no catalogue" * 1000)
    assert "cannot be read" in by_name(store_findings(tmp_path))["catalogue"].found


MOUNTS = """22 1 8:1 / / rw shared:1 - ext4 /dev/vda rw
30 22 0:50 / /mnt/clinic\\040data rw shared:2 - cifs //server/share rw
31 22 0:51 / /home rw shared:3 - nfs4 server:/home rw
32 31 8:2 / /home/me/local rw shared:4 - xfs /dev/vdb rw
33 22 0:52 / /mnt/cloud rw - fuse.rclone remote: rw
34 22 8:3 / /mnt/windows rw - fuseblk /dev/sdb1 rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/srv/store", None),
        ("/mnt/clinic data/store", "cifs"),
        ("/home/me/store", "nfs4"),
        ("/home/me/local/store", None),
        ("/mnt/cloud", "fuse.rclone"),
        ("/mnt/windows/store", None),
    ],
)
def test_file_systems_over_a_network_are_told(folder, kind):
    """The mount nearest above a folder decides; blanks in its path are the kernel's."""
    assert network_file_system(MOUNTS, Path(folder)) == kind


@pytest.mark.parametrize(
    ("version", "state", "text"),
    [
        (0, "warning", "no Landlock: crashes and hangs are contained, writing is not"),
        (3, "warning", "Landlock 3, which does not know the network: connections are not barred"),
        (4, "ok", "Landlock 4: children that read foreign files can write nothing and reach no server"),
    ],
)
def test_what_the_kernel_can_bar_is_told(version, state, text, monkeypatch):
    """A machine without Landlock works, and knows that its children may write."""
    monkeypatch.setattr(machine, "landlock_version", lambda: version)
    (found,) = machine.sandbox_findings()
    assert (found.state, found.found) == (state, text)


def test_folders_that_cannot_be_written_and_a_full_disk_are_told(tmp_path, monkeypatch):
    """Fonts, temporary files and room have a warning with the next step."""
    monkeypatch.setenv("MPLCONFIGDIR", "/etc/passwd/fonts")
    (fonts,) = cache_findings()
    assert (fonts.state, "Not a directory" in fonts.found) == ("warning", True)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nonsuch"))
    assert next(iter(temporary_findings())).state == "warning"
    usage = shutil.disk_usage(tmp_path)
    for free, state in ((int(50e9), "ok"), (int(2e9), "warning"), (1000, "missing")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage._replace(free=free))
        assert room_finding("disk", tmp_path, "all").state == state
