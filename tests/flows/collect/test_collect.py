"""Exports in a drop folder: when one is complete, what becomes of one that is not, and of a run that is killed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest
from builders.command_line import printed

from flows.collect import run
from flows.collect.run import collect
from schemas.errors import ContractError, NotFoundError, StoreBusyError, UsageError
from schemas.study.text import parsed_study

STUDY = """[study]
id = "small"
title = "Small"
[cohort]
table = "patients.csv"
[phases.AP]
modality = "MR"
image = "images/{patient}/image.nii.gz"
mask = "images/{patient}/mask.nii.gz"
"""
DROP = '[drop]\nfolder = "inbox"\ninto = "images"\nquarantine = "refused"\n'
MINUTE = 60.0


class Inbox:
    """A study with a drop folder."""

    def __init__(self, root: Path, more: str = "") -> None:
        self.file = root / "study.toml"
        self.file.write_text(STUDY + DROP + more)
        self.folder, self.images, self.refused = (root / name for name in ("inbox", "images", "refused"))
        self.folder.mkdir()

    def leave(self, name, *files, content=b"voxels"):
        """Leave files in the drop folder."""
        for file in files:
            (self.folder / name / file).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name / file).write_bytes(content)

    def collected(self, after=0.0, **options):
        """Return what becomes of each delivery some seconds from now: ending and reason by name."""
        study = parsed_study(self.file.read_text(), str(self.file))
        report = collect(study, self.file, now=time.time() + after, **options)
        return {each.name: (each.ending, each.reason) for each in report.collected}


@pytest.fixture
def inbox(tmp_path):
    """Return a study whose deliveries are complete after ten quiet minutes."""
    return Inbox(tmp_path)


def test_what_is_quiet_for_long_enough_is_taken_whole(inbox):
    """Before that it waits; its files' own times, years ago, say nothing."""
    inbox.leave("P1", "image.nii.gz", "mask.nii.gz")
    os.utime(inbox.folder / "P1" / "image.nii.gz", (0, 0))
    assert inbox.collected(9 * MINUTE) == {"P1": ("waiting", "it changed 9 min ago")}
    assert not inbox.images.exists()
    assert inbox.collected(11 * MINUTE) == {"P1": ("taken", "2 files, quiet for 11 min")}
    assert sorted(file.name for file in (inbox.images / "P1").iterdir()) == ["image.nii.gz", "mask.nii.gz"]
    assert list(inbox.folder.iterdir()) == []


def test_a_dry_run_moves_nothing(inbox):
    """It says what would be taken."""
    inbox.leave("P1", "image.nii.gz")
    assert inbox.collected(11 * MINUTE, dry_run=True)["P1"][0] == "taken"
    assert (inbox.folder / "P1" / "image.nii.gz").exists()
    assert not inbox.images.exists()


@pytest.mark.parametrize("name", ["image.nii.gz.part", "image.tmp", ".image.nii.gz.aB3xY9", "image.nii.gz~"])
def test_what_a_program_is_still_writing_waits_and_is_given_up_after_a_day(inbox, name):
    """However quiet it is: a copy that broke off is not complete."""
    inbox.leave("P1", "mask.nii.gz", name)
    assert inbox.collected(60 * MINUTE) == {"P1": ("waiting", f"P1/{name} is unfinished")}
    assert inbox.collected(25 * 60 * MINUTE) == {"P1": ("quarantined", f"P1/{name} is unfinished")}
    (place,) = inbox.refused.iterdir()
    assert (place / "reason.txt").read_text() == f"P1/{name} is unfinished\n"
    assert (place / "P1" / "mask.nii.gz").exists()
    assert list(inbox.folder.iterdir()) == []


def test_what_the_study_has_is_not_replaced(inbox):
    """The same files again are known and removed; others of the same name are refused, and both stay."""
    inbox.leave("P1", "image.nii.gz")
    inbox.collected(11 * MINUTE)
    inbox.leave("P1", "image.nii.gz")
    assert inbox.collected(11 * MINUTE) == {"P1": ("known", "images has P1 already")}
    inbox.leave("P1", "image.nii.gz", content=b"others")
    assert inbox.collected(11 * MINUTE) == {"P1": ("quarantined", "images has P1 already, with other files")}
    assert (inbox.images / "P1" / "image.nii.gz").read_bytes() == b"voxels"
    (place,) = inbox.refused.iterdir()
    assert (place / "P1" / "image.nii.gz").read_bytes() == b"others"


def test_links_and_pipes_are_refused_at_once(inbox, tmp_path):
    """What leads elsewhere is no export, and reading a pipe would never end."""
    (tmp_path / "secret").write_text("secret")
    inbox.leave("P1", "image.nii.gz")
    (inbox.folder / "P1" / "mask.nii.gz").symlink_to(tmp_path / "secret")
    inbox.leave("P2", "image.nii.gz")
    os.mkfifo(inbox.folder / "P2" / "pipe")
    (inbox.folder / "P3").symlink_to(tmp_path)
    found = inbox.collected()
    assert {name: ending for name, (ending, _) in found.items()} == dict.fromkeys(("P1", "P2", "P3"), "quarantined")
    assert found["P1"][1] == "P1/mask.nii.gz is neither a file nor a folder"
    assert (tmp_path / "secret").read_text() == "secret"


def test_an_empty_folder_and_hidden_names(inbox):
    """A folder waits for its first file; what a machine keeps for itself is no delivery."""
    (inbox.folder / "P1").mkdir()
    (inbox.folder / ".DS_Store").write_bytes(b"x")
    assert inbox.collected(60 * MINUTE) == {"P1": ("waiting", "it has no file")}


def sums(folder, *files):
    """Return the text of a manifest as sha256sum writes it."""
    return "".join(f"{hashlib.sha256((folder / file).read_bytes()).hexdigest()}  {file}\n" for file in files)


def test_a_manifest_says_when_a_delivery_is_complete(tmp_path):
    """At once where every file has its hash; it waits for a file that is missing, changed or not named."""
    inbox = Inbox(tmp_path, 'manifest = "SHA256SUMS"\n')
    inbox.leave("P1", "AP/image.nii.gz", "mask.nii.gz")
    folder = inbox.folder / "P1"
    assert inbox.collected() == {"P1": ("waiting", "it has no SHA256SUMS")}
    manifest = sums(folder, "AP/image.nii.gz", "mask.nii.gz")
    (folder / "mask.nii.gz").rename(tmp_path / "mask")
    (folder / "SHA256SUMS").write_text(manifest)
    assert inbox.collected()["P1"][1] == "1 files of SHA256SUMS are missing, the first: mask.nii.gz"
    (folder / "mask.nii.gz").write_bytes(b"cut")
    assert inbox.collected()["P1"][1] == "mask.nii.gz has another hash than SHA256SUMS says"
    (tmp_path / "mask").rename(folder / "mask.nii.gz")
    (folder / "more").write_bytes(b"x")
    assert inbox.collected()["P1"] == ("waiting", "1 files are not in SHA256SUMS, the first: more")
    (folder / "more").unlink()
    assert inbox.collected() == {"P1": ("taken", "2 files as SHA256SUMS says")}


def test_a_manifest_that_is_none_is_given_up(tmp_path):
    """Its line is named."""
    inbox = Inbox(tmp_path, 'manifest = "SHA256SUMS"\ngive_up_hours = 1\n')
    inbox.leave("P1", "SHA256SUMS", content=b"\n\xff\xfe no hash\n")
    inbox.leave("P1", "image.nii.gz")
    assert inbox.collected(2 * 60 * MINUTE)["P1"] == (
        "quarantined",
        "SHA256SUMS:2: not 64 hex digits, two blanks and a file's name",
    )


def test_a_killed_run_is_finished_by_the_next(inbox):
    """What had been brought whole gets its name; what had not is brought again from where it still lies."""
    inbox.leave("P1", "image.nii.gz")
    inbox.images.mkdir()
    (inbox.folder / "P1").rename(inbox.images / ".P1.whole")
    inbox.leave("P2", "image.nii.gz", "mask.nii.gz")
    (inbox.images / ".P2.copying").mkdir()
    (inbox.images / ".P2.copying" / "image.nii.gz").write_bytes(b"vox")
    assert inbox.collected(11 * MINUTE) == {"P2": ("taken", "2 files, quiet for 11 min")}
    assert sorted(str(file.relative_to(inbox.images)) for file in inbox.images.rglob("*") if file.is_file()) == [
        "P1/image.nii.gz",
        "P2/image.nii.gz",
        "P2/mask.nii.gz",
    ]
    assert (inbox.images / "P2" / "image.nii.gz").read_bytes() == b"voxels"


def test_what_a_kill_left_of_a_source_is_known(inbox):
    """Where a copy has its name already, what was not removed of its source is removed; nobody hears of a failure."""
    inbox.leave("P1", "image.nii.gz", "mask.nii.gz")
    inbox.collected(11 * MINUTE)
    inbox.leave("P1", "mask.nii.gz")
    assert inbox.collected(11 * MINUTE) == {"P1": ("known", "images has P1 already")}
    assert sorted(file.name for file in (inbox.images / "P1").iterdir()) == ["image.nii.gz", "mask.nii.gz"]


def test_a_delivery_comes_from_another_disk(inbox):
    """Where a rename cannot do it, a copy does, and the source goes afterwards."""
    with tempfile.TemporaryDirectory(dir=Path(__file__).parents[3], prefix=".test-") as other:
        if Path(other).stat().st_dev == inbox.folder.stat().st_dev:
            pytest.skip("the tests' files lie on the disk of the sources: there is no second one")
        inbox.leave("P1", "AP/image.nii.gz")
        inbox.images.symlink_to(other)
        assert inbox.collected(11 * MINUTE)["P1"][0] == "taken"
        assert [str(file.relative_to(other)) for file in Path(other).rglob("*")] == [
            "P1",
            "P1/AP",
            "P1/AP/image.nii.gz",
        ]
        assert list(inbox.folder.iterdir()) == []


@pytest.mark.parametrize("is_copied", [False, True])
@pytest.mark.parametrize("late", ["more bytes", "another file", "other bytes"])
def test_what_changes_while_it_is_taken_stays_where_it_is(inbox, monkeypatch, late, is_copied):
    """Nothing that somebody writes meanwhile is lost, whether the delivery is renamed or copied."""
    inbox.leave("P1", "image.nii.gz")
    bring = run._bring

    def brought(source, target, whole):
        if is_copied:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, whole)
        where = source if is_copied else whole
        if not is_copied:
            bring(source, target, whole)
        if late == "another file":
            (where / "mask.nii.gz").write_bytes(b"late")
        else:
            with (where / "image.nii.gz").open("ab" if late == "more bytes" else "r+b") as stream:
                stream.write(b"VOXELS")
        return is_copied

    monkeypatch.setattr("flows.collect.run._bring", brought)
    assert inbox.collected(11 * MINUTE) == {"P1": ("waiting", "it changed while it was taken")}
    written = {file.name: file.read_bytes() for file in (inbox.folder / "P1").iterdir()}
    assert any(content in (b"voxelsVOXELS", b"VOXELS", b"late") for content in written.values())
    assert list(inbox.images.iterdir()) == []


def test_one_that_cannot_be_moved_keeps_no_other_waiting(inbox):
    """A name that leaves no room for a hidden one beside it, and a manifest of another machine's paths."""
    inbox.leave("P" * 252, "image.nii.gz")
    inbox.leave("P1", "image.nii.gz")
    found = inbox.collected(11 * MINUTE)
    assert {name[:2]: ending for name, (ending, _) in found.items()} == {"PP": "failed", "P1": "taken"}


@pytest.mark.parametrize("named", ["/data/export/P1/image.nii.gz", "../P2/image.nii.gz"])
def test_a_manifest_that_leads_out_of_the_delivery_is_said(tmp_path, named):
    """As sha256sum writes it of absolute paths."""
    inbox = Inbox(tmp_path, 'manifest = "SHA256SUMS"\n')
    inbox.leave("P1", "image.nii.gz")
    (inbox.folder / "P1" / "SHA256SUMS").write_text(f"{'0' * 64}  {named}\n", encoding="utf-8-sig")
    assert inbox.collected()["P1"] == (
        "waiting",
        f"SHA256SUMS:1: {named} lies outside of the delivery: names are relative to SHA256SUMS",
    )


def test_two_runs_do_not_take_the_same(inbox):
    """The second says that somebody is at it."""
    held = os.open(inbox.folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(StoreBusyError, match="another process takes"):
        inbox.collected()
    os.close(held)
    assert inbox.collected() == {}


def test_what_cannot_be_carried_out_is_said(inbox):
    """A study without [drop], a folder that is not there, one within the other."""
    inbox.folder.rmdir()
    with pytest.raises(NotFoundError, match="the drop folder is not there"):
        inbox.collected()
    inbox.folder.mkdir()
    inbox.file.write_text(STUDY + DROP.replace('into = "images"', 'into = "inbox/images"'))
    with pytest.raises(ContractError, match="lie within one another"):
        inbox.collected()
    inbox.file.write_text(STUDY)
    with pytest.raises(UsageError, match="has no drop folder"):
        inbox.collected()


def test_the_verb_says_what_became_of_each(inbox, capsys):
    """Taken and waiting is 0, quarantined 5."""
    inbox.file.write_text(inbox.file.read_text() + "quiet_minutes = 0.00001\n")
    inbox.leave("P1", "image.nii.gz")
    time.sleep(0.01)
    code, out, _ = printed(capsys, "collect", inbox.file)
    assert (code, out.splitlines()[1:]) == (
        0,
        ["small: 1 delivery taken, 0 quarantined, 0 waiting", f"next: radzoo ingest {inbox.file}"],
    )
    inbox.leave("P1", "image.nii.gz", content=b"others")
    time.sleep(0.01)
    assert printed(capsys, "collect", inbox.file)[0] == 5
