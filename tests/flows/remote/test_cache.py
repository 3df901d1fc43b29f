"""Copies of remote images on this machine: fetched once, bounded, and never half."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.remote.cache import CopyCache, cache_folder
from schemas.errors import ContractError, RadzooError

URL = "s3://bucket/{}.nii.gz"
_ASKING = """
import sys, time
from pathlib import Path
from flows.remote.cache import CopyCache

log = Path(sys.argv[2])

def fetch(into):
    with log.open("a") as stream:
        stream.write("fetched\\n")
    time.sleep(0.5)
    into.write_text("image")

held = CopyCache(Path(sys.argv[1]), 1000).hold("s3://bucket/P1.nii.gz", "5:a", 5, fetch)
assert held.path.read_text() == "image"
"""


def held(cache: CopyCache, name: str, *, size: int = 5, stat: str = "5:a") -> int:
    """Hold a copy and return what gives it back."""
    copy = cache.hold(URL.format(name), stat, size, lambda into: Path(into).write_bytes(b"x" * size))
    assert copy.path.read_bytes() == b"x" * size
    return copy.lock


def names(cache: CopyCache) -> set[str]:
    """Return which of ten objects there are copies of."""
    return {str(each) for each in range(10) if cache.copies_of(URL.format(each))}


def test_processes_that_ask_at_once_fetch_once(tmp_path):
    """One fetches, the others wait for it and take its copy."""
    log = tmp_path / "log"
    command = [sys.executable, "-c", _ASKING, str(tmp_path / "cache"), str(log)]
    asking = [subprocess.Popen(command, cwd=Path(__file__).parents[3]) for _ in range(3)]
    assert [each.wait() for each in asking] == [0, 0, 0]
    assert log.read_text() == "fetched\n"


def test_the_oldest_copies_make_room_and_those_in_use_stay(tmp_path):
    """A copy that somebody holds is kept beyond the limit; given back, it goes when room is needed."""
    cache = CopyCache(tmp_path, 30)
    used = held(cache, "0")
    for name in range(1, 8):
        cache.release(held(cache, str(name)))
    assert names(cache) == {"0", "4", "5", "6", "7"}
    cache.release(used)
    cache.release(held(cache, "8"))
    cache.release(held(cache, "9"))
    assert names(cache) >= {"8", "9"}
    assert len(names(cache)) <= 6
    assert len(list(cache.folder.glob("*.lock"))) == len(names(cache))


def test_a_changed_object_gets_another_copy(tmp_path):
    """Who uses the former one keeps it; forgetting takes both, once they are given back."""
    cache = CopyCache(tmp_path, 100)
    former = held(cache, "0", stat="5:a")
    cache.release(held(cache, "0", stat="5:b"))
    assert len(cache.copies_of(URL.format(0))) == 2
    cache.release(former)
    assert cache.forget(URL.format(0)) == 2
    assert not list(cache.folder.iterdir())


def test_what_breaks_off_leaves_no_copy(tmp_path):
    """Neither does a fetch that fails, nor what a killed process left; an object that is too large is refused."""
    cache = CopyCache(tmp_path, 100)
    with pytest.raises(ContractError, match="broke off"):
        cache.hold(URL.format(0), "5:a", 5, _break_off)
    (lock,) = cache.folder.iterdir()
    left = cache.folder / f"{lock.stem}.1234abcd.partial"
    left.mkdir()
    (left / "copy.nii.gz").write_bytes(b"xx")
    cache.release(held(cache, "0"))
    assert not left.exists()
    with pytest.raises(ContractError, match="RADZOO_CACHE_BYTES"):
        held(cache, "1", size=101)


def _break_off(into: Path) -> None:
    into.write_bytes(b"xx")
    raise ContractError("broke off")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    """The error names the folder and the variable that names another one."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RadzooError, match="copies of remote images cannot be kept") as error:
        held(CopyCache(tmp_path / "file", 100), "0")
    assert "RADZOO_CACHE" in str(error.value.hint)


def test_the_folder_is_the_accounts_own():
    """As the environment names it, else below the folder for caches."""
    assert cache_folder({"RADZOO_CACHE": "/fast/copies"}) == Path("/fast/copies")
    assert cache_folder({"XDG_CACHE_HOME": "/home/p/cache"}) == Path("/home/p/cache/radzoo")


def test_a_copy_whose_removal_breaks_off_is_not_found_as_whole(tmp_path, monkeypatch):
    """It loses its name first: the next who asks fetches all of it, however many files are left of the former."""
    cache, fetched = CopyCache(tmp_path, 1000), []

    def fetch(into):
        fetched.append(into)
        into.mkdir()
        for number in range(3):
            (into / f"{number}.dcm").write_bytes(b"slice")

    cache.release(cache.hold("s3://bucket/P1", "15:a", 15, fetch).lock)
    removed = shutil.rmtree

    def killed(path, **_):
        next(Path(path).rglob("*.dcm")).unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr("flows.remote.cache.shutil.rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        cache.forget("s3://bucket/P1")
    monkeypatch.setattr("flows.remote.cache.shutil.rmtree", removed)
    copy = cache.hold("s3://bucket/P1", "15:a", 15, fetch)
    assert (len(list(copy.path.iterdir())), len(fetched)) == (3, 2)
    cache.release(copy.lock)


def test_forgetting_waits_for_nobody(tmp_path):
    """Who holds a copy may take hours; an erasure takes it away at once."""
    cache = CopyCache(tmp_path, 100)
    used = held(cache, "0")
    assert cache.forget(URL.format(0)) == 1
    assert cache.copies_of(URL.format(0)) == []
    cache.release(used)
