"""Calls in a child process: what comes back, what the child may not do, how it ends."""

from __future__ import annotations

import copyreg
import os
import pickle
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.errors import ContractError
from store.limits import fork_server
from store.limits.landlock import landlock_version
from store.limits.process import (
    CrashedError,
    KilledError,
    LimitedProcess,
    LimitedProcessError,
    Limits,
    OutOfMemoryError,
    OutOfTimeError,
)

MIB = 1 << 20
LIMITS = Limits(seconds=20, memory_bytes=256 * MIB)

needs_landlock = pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")


def doubled(values: np.ndarray) -> np.ndarray:
    """Return twice the values."""
    return values * 2


LOADED_IN = os.getpid()


def process_id() -> int:
    """Return the number of the process."""
    return os.getpid()


def where_loaded() -> tuple[int, int, int]:
    """Return the numbers of the process that loaded this module, of this one and of its parent."""
    return LOADED_IN, os.getpid(), os.getppid()


def surroundings(name: str) -> tuple[str | None, str]:
    """Return a variable's value and the working directory."""
    return os.environ.get(name), str(Path.cwd())


def written(path: Path) -> str:
    """Write a file."""
    path.write_text("written")
    return "written"


def text_of(path: Path) -> str:
    """Return a file's text."""
    return path.read_text()


def emptied(path: Path) -> None:
    """Truncate a file, in one of two ways, and remove it."""
    for harm in (lambda: os.truncate(path, 0), lambda: path.open("w").close(), path.unlink, lambda: path.rename("x")):
        try:
            harm()
        except OSError:
            continue


def connected(port: int) -> str:
    """Connect to a port of this machine."""
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        return "connected"


def hog(size: int) -> int:
    """Return the sum of many bytes, all of them touched."""
    return int(np.ones(size, dtype=np.uint8).sum())


def sleep(seconds: float) -> str:
    """Wait."""
    time.sleep(seconds)
    return "slept"


def crash(number: int) -> None:
    """End the process by a signal."""
    os.kill(os.getpid(), number)


def refuse() -> None:
    """Raise an error of the program's own."""
    raise ContractError("no such column", where="table.csv:3", hint="radzoo ingest study.toml")


def raise_untrusted() -> None:
    """Raise an error of a class that nobody vouches for."""
    raise ForeignError("secret")


def raise_of_interpreter() -> None:
    """Raise what C code raises that ran out of memory and did not notice."""
    raise SystemError("error return without exception set")


class ForeignError(Exception):
    """A class of this test."""


def fraction() -> Fraction:
    """Return an object of a class that is not trusted by default."""
    return Fraction(1, 3)


def fraction_of_nothing() -> None:
    """Raise an error of arithmetic."""
    Fraction(1, 0)


class Gadget:
    """An object whose pickle calls a function."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


def gadget() -> object:
    """Return the object."""
    return Gadget()


def counted(limit: int, pause: float = 0.0) -> Iterator[int]:
    """Yield numbers."""
    for number in range(limit):
        time.sleep(pause)
        yield number


def fault_after(limit: int) -> Iterator[int]:
    """Yield numbers, then raise."""
    yield from range(limit)
    raise ContractError("the end is missing")


KINDS: dict[str, dict[str, Any]] = {"started": {}, "forked": {"by_fork": True}, "copied": {"modules": (__name__,)}}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def child(request: pytest.FixtureRequest) -> Iterator[LimitedProcess]:
    """Give a child of each kind."""
    with LimitedProcess(LIMITS, **request.param) as process:
        yield process


def test_an_answer_comes_back_whole_and_the_child_serves_the_next_call(child: LimitedProcess) -> None:
    """An array of some megabytes comes back equal, and one child answers several calls."""
    values = np.arange(1 << 20, dtype=np.float64).reshape(1024, 1024)
    np.testing.assert_array_equal(child.call(doubled, values), values * 2)
    first = child.call(process_id)
    assert first != os.getpid()
    assert child.call(process_id) == first


def test_an_error_of_the_program_comes_back_as_itself(child: LimitedProcess) -> None:
    """The caller catches what the function raises; the child goes on."""
    before = child.call(process_id)
    with pytest.raises(ContractError, match="no such column") as caught:
        child.call(refuse)
    assert (caught.value.where, caught.value.hint) == ("table.csv:3", "radzoo ingest study.toml")
    assert child.call(process_id) == before


def test_an_error_comes_back_as_itself_whatever_pickles_errors_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library may have all errors of the process pickled by a function of its own, as dask's tblib does."""
    monkeypatch.setitem(copyreg.dispatch_table, ContractError, lambda error: (Fraction, (1, 2)))
    with LimitedProcess(LIMITS, by_fork=True) as process, pytest.raises(ContractError, match="no such column"):
        process.call(refuse)


def test_an_error_of_an_unknown_class_comes_back_by_its_name_alone(child: LimitedProcess) -> None:
    """Its text may hold anything."""
    with pytest.raises(CrashedError, match=r"^it ends in a ForeignError$"):
        child.call(raise_untrusted)


@pytest.mark.parametrize(
    ("function", "name"), [(raise_of_interpreter, "SystemError"), (fraction_of_nothing, "ZeroDivisionError")]
)
def test_a_fault_that_nobody_meant_is_no_error_of_the_program(
    child: LimitedProcess, function: Callable[[], None], name: str
) -> None:
    """Whoever calls with hostile input need not think of every class that a library may raise."""
    with pytest.raises(CrashedError, match=rf"^it ends in a {name}$"):
        child.call(function)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_a_crash_is_an_error_and_the_next_call_has_a_new_child(child: LimitedProcess, number: int) -> None:
    """The program survives what kills the child."""
    before = child.call(process_id)
    with pytest.raises(CrashedError, match=signal.Signals(number).name):
        child.call(crash, number)
    assert child.call(process_id) != before


def test_a_hang_ends_at_the_limit() -> None:
    """The parent waits no longer than it says."""
    with LimitedProcess(Limits(seconds=2, memory_bytes=64 * MIB)) as child:
        child.call(sleep, 0.0)
        with pytest.raises(OutOfTimeError, match=r"longer than 2 s"):
            child.call(sleep, 60.0)
        assert child.call(sleep, 0.0) == "slept"


def test_memory_beyond_the_limit_is_refused_and_below_it_given(child: LimitedProcess) -> None:
    """The limit counts what a call takes, not what the libraries hold."""
    with pytest.raises(OutOfMemoryError, match="more than 256 MiB"):
        child.call(hog, 512 * MIB)
    assert child.call(hog, 64 * MIB) == 64 * MIB


@needs_landlock
def test_the_child_can_write_and_truncate_nothing(child: LimitedProcess, tmp_path: Path) -> None:
    """What the parent may do, the child may not."""
    precious = tmp_path / "precious"
    precious.write_text("kept")
    with pytest.raises(PermissionError):
        child.call(written, tmp_path / "new")
    child.call(emptied, precious)
    assert precious.read_text() == "kept"
    assert list(tmp_path.iterdir()) == [precious]


@needs_landlock
def test_the_child_reads_and_writes_below_the_named_folders_only(tmp_path: Path) -> None:
    """Its own folder is open to it, its neighbour is not, by any name."""
    (tmp_path / "open").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "open" / "link").symlink_to(tmp_path / "secret")
    limits = Limits(20, 256 * MIB, readable=(), writable=(tmp_path / "open",))
    with LimitedProcess(limits) as child:
        child.call(written, tmp_path / "open" / "own")
        assert child.call(text_of, tmp_path / "open" / "own") == "written"
        for path in (tmp_path / "secret", tmp_path / "open" / "link", tmp_path / "open" / ".." / "secret"):
            with pytest.raises(PermissionError):
                child.call(text_of, path)


@pytest.mark.skipif(landlock_version() < 4, reason="this kernel's Landlock does not know the network")
def test_the_child_reaches_no_server(child: LimitedProcess) -> None:
    """A server of this machine hears nothing of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert connected(port) == "connected"
        with pytest.raises(PermissionError):
            child.call(connected, port)


def test_an_answer_makes_only_trusted_classes() -> None:
    """A class comes back where its module is trusted; a pickle that calls a function never does."""
    with LimitedProcess(LIMITS) as plain, LimitedProcess(LIMITS, trusted=("fractions",)) as trusting:
        with pytest.raises(CrashedError, match=r"fractions\.Fraction, which is not trusted"):
            plain.call(fraction)
        assert trusting.call(fraction) == Fraction(1, 3)
        assert b"system" in pickle.dumps(Gadget())
        with pytest.raises(CrashedError, match="system, which is not trusted"):
            plain.call(gadget)


def test_a_stream_comes_piece_by_piece_and_may_be_left(child: LimitedProcess) -> None:
    """What is not read is not waited for; the next call is answered."""
    assert list(child.stream(counted, 3)) == [0, 1, 2]
    endless = child.stream(counted, 1 << 60)
    assert [next(endless), next(endless)] == [0, 1]
    endless.close()
    assert list(child.stream(counted, 2)) == [0, 1]


def test_a_stream_that_fails_gives_what_came_before(child: LimitedProcess) -> None:
    """The error stands where the items end."""
    seen = []
    with pytest.raises(ContractError, match="the end is missing"):
        seen.extend(child.stream(fault_after, 2))
    assert child.call(process_id)


def test_a_stream_has_one_time_limit_that_the_reader_does_not_use_up() -> None:
    """A slow reader is no slow child; a slow child is."""
    with LimitedProcess(Limits(seconds=2, memory_bytes=64 * MIB)) as child:
        child.call(process_id)
        for _ in child.stream(counted, 4, 0.0):
            time.sleep(0.6)
        with pytest.raises(OutOfTimeError):
            list(child.stream(counted, 100, 0.2))


def test_threads_share_a_child(child: LimitedProcess) -> None:
    """Calls of several threads are answered each with its own answer."""
    child.call(process_id)
    answers: dict[int, np.ndarray] = {}

    def ask(number: int) -> None:
        answers[number] = child.call(doubled, np.full(1000, number))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((answers[number] == 2 * number).all() for number in range(8))


def test_a_function_that_cannot_be_imported_is_refused(child: LimitedProcess) -> None:
    """The mistake shows at once, not in the child."""
    with pytest.raises(TypeError, match="cannot be imported"):
        child.call(lambda: 1)


def test_the_child_ends_with_its_parent() -> None:
    """Closing ends the process and its pipes."""
    process = LimitedProcess(LIMITS)
    number = process.call(process_id)
    process.close()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
    assert issubclass(OutOfTimeError, LimitedProcessError)


def killed() -> None:
    """Let the system kill the process."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_child_that_was_killed_is_told_from_one_that_took_too_much():
    """Who kills it says nothing of the input: the same call may have an answer, and the next one has."""
    with LimitedProcess(LIMITS, by_fork=True) as child:
        with pytest.raises(KilledError, match="it was killed"):
            child.call(killed)
        assert child.call(process_id) != os.getpid()


def test_a_child_is_heard_by_a_process_with_very_many_open_files():
    """Its pipes have numbers above 1,023 then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("this account may not open 1,200 files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with LimitedProcess(LIMITS) as process:
            assert process.call(doubled, np.arange(3)).tolist() == [0, 2, 4]
    finally:
        for each in opened:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="children are copied on Linux alone")


@on_linux
def test_children_of_the_same_modules_are_copies_of_one_process() -> None:
    """The modules are loaded once, by a process that is none of the children, and each child ends by itself."""
    with LimitedProcess(LIMITS, modules=(__name__,)) as one, LimitedProcess(LIMITS, modules=(__name__,)) as other:
        places = [each.call(where_loaded) for each in (one, other)]
        loaded_in, numbers, parents = ({place[at] for place in places} for at in range(3))
        assert loaded_in == parents
        assert len(loaded_in) == 1
        assert len(numbers) == 2
        assert os.getpid() not in loaded_in | numbers
        with pytest.raises(KilledError):
            one.call(killed)
        assert other.call(where_loaded) == places[1]


@on_linux
def test_a_copy_has_the_surroundings_of_its_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables and folder are those of the process that asks, when it asks, not those of the first child."""
    for value in ("one", "two"):
        folder = tmp_path / value
        folder.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.setenv("RADZOO_TRIED", value)
        with LimitedProcess(LIMITS, modules=(__name__,)) as child:
            assert child.call(surroundings, "RADZOO_TRIED") == (value, str(folder))


@on_linux
def test_children_go_on_without_the_process_that_they_are_copies_of() -> None:
    """Where the system kills it, the next call has an answer all the same."""
    with LimitedProcess(LIMITS, modules=(__name__,)) as child:
        server = child.call(where_loaded)[2]
        os.kill(server, signal.SIGKILL)
        _wait_for_end(server)
        assert child.call(where_loaded)[2] != server


@on_linux
def test_a_child_that_is_given_up_at_once_costs_no_other() -> None:
    """The server makes it for nobody, and goes on with its children."""
    with LimitedProcess(LIMITS, modules=(__name__,)) as one:
        before = one.call(where_loaded)
        for _ in range(20):
            other = LimitedProcess(LIMITS, modules=(__name__,))
            other.begin()
            other.close()
        assert one.call(where_loaded) == before
        with LimitedProcess(LIMITS, modules=(__name__,)) as last:
            assert last.call(where_loaded)[2] == before[2]


@on_linux
def test_an_environment_that_is_too_long_for_a_copy_has_a_fresh_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more than a megabyte; the server and its children go on."""
    with LimitedProcess(LIMITS, modules=(__name__,)) as one:
        before = one.call(where_loaded)
        for number in range(12):
            monkeypatch.setenv(f"LONG_{number}", "x" * 100_000)
        with LimitedProcess(LIMITS, modules=(__name__,)) as other:
            assert other.call(where_loaded)[2] != before[2]
        assert one.call(where_loaded) == before


@on_linux
def test_a_copy_ends_with_its_server() -> None:
    """Nobody else could end it: its number is told and waited for by the server alone."""
    with LimitedProcess(LIMITS, modules=(__name__,)) as child:
        _, own, server = child.call(where_loaded)
        os.kill(server, signal.SIGKILL)
        _wait_for_end(own)


@on_linux
def test_a_child_works_on_when_its_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many sets of modules the servers of those asked for longest ago end, once their children have."""
    monkeypatch.setattr(fork_server, "_MOST_SERVERS", 1)
    with LimitedProcess(LIMITS, modules=(__name__,)) as one:
        before = one.call(where_loaded)
        with LimitedProcess(LIMITS, modules=(__name__, "json")) as other:
            assert other.call(where_loaded)[2] != before[2]
            assert one.call(where_loaded) == before
    _wait_for_end(before[2])


@on_linux
def test_a_server_that_nobody_asks_ends_and_another_one_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for a while, here a tenth of a second."""
    at_once = "from store.limits import fork_server; fork_server._IDLE_MS = 100; fork_server.serve_forks()"
    monkeypatch.setattr(fork_server, "_START", at_once)
    modules = (__name__, "fractions")
    with LimitedProcess(LIMITS, modules=modules) as child:
        before = child.call(where_loaded)[2]
    _wait_for_end(before)
    with LimitedProcess(LIMITS, modules=modules) as child:
        assert child.call(where_loaded)[2] != before


OUTLIVED = """
import os, sys
from store.limits.process import LimitedProcess, Limits
from test_limited_process import where_loaded
child = LimitedProcess(Limits(20, 1 << 28), modules=("test_limited_process",))
print(*child.call(where_loaded)[1:], flush=True)
sys.stdin.read()
"""


@on_linux
def test_nothing_outlives_the_process_that_asks() -> None:
    """Killed, it leaves neither children nor what they are copies of."""
    paths = {"PYTHONPATH": ":".join([str(Path(__file__).parent), *filter(None, sys.path)])}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", OUTLIVED], text=True, env=os.environ | paths, **pipes) as asking:
        numbers = [int(each) for each in asking.stdout.readline().split()]
        asking.kill()
    assert len(numbers) == 2
    for each in numbers:
        _wait_for_end(each)


def _wait_for_end(pid: int) -> None:
    """Wait until a process is no more, or fail after a while; one that only its parent remembers is none."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z":
                return
        except OSError:
            return
        time.sleep(0.01)
    pytest.fail(f"process {pid} goes on")


def seconds_of_processor() -> float:
    """Work for a while, and return how long this process has."""
    while time.process_time() < 0.5:
        pass
    return time.process_time()


COUNTED = """
from store.limits.process import LimitedProcess, Limits
from test_limited_process import seconds_of_processor
with LimitedProcess(Limits(20, 1 << 28), modules=("test_limited_process",)) as child:
    print(child.call(seconds_of_processor), flush=True)
"""


@on_linux
def test_what_children_take_is_told_of_the_command() -> None:
    """As `time` tells it: whoever waits for the command is told of all that worked for it."""
    paths = {"PYTHONPATH": ":".join([str(Path(__file__).parent), *filter(None, sys.path)])}
    with subprocess.Popen([sys.executable, "-c", COUNTED], stdout=subprocess.PIPE, env=os.environ | paths) as asking:
        worked = float(asking.stdout.read())
        _, status, used = os.wait4(asking.pid, 0)
        asking.returncode = os.waitstatus_to_exitcode(status)
    assert asking.returncode == 0
    assert used.ru_utime + used.ru_stime > worked
