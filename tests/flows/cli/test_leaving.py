"""How the command line's process ends: at once, and nothing that is registered for its end is left out."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

BEFORE = """
import atexit, tempfile, threading, time
from flows.cli.main import main

folder = tempfile.TemporaryDirectory(prefix="left-")
late = threading.Event()

def work():
    late.wait()
    time.sleep(0.1)
    print("worked on", flush=True)

threading.Thread(target=work).start()
atexit.register(lambda: print(f"registered, behind the threads; {folder.name}"))
late.set()
"""


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["studies", "--nothing"], 2)])
def test_what_waits_for_the_end_is_done(arguments, code):
    """Threads are waited for, exit handlers called, temporary folders removed, and all that is said is shown."""
    script = f"{BEFORE}main({arguments!r})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    *_, worked, registered = done.stdout.splitlines()
    assert worked == "worked on"
    words, folder = registered.split("; ")
    assert words == "registered, behind the threads"
    assert not Path(folder).exists()
    assert "Traceback" not in done.stderr


def test_who_interrupts_the_wait_for_threads_changes_no_exit_code():
    """The verb is done: exit handlers are called, and nothing is said of an interrupt."""
    code = """
import atexit, threading, time
from flows.cli.main import main

def work():
    time.sleep(2)
    print("waited for", flush=True)
    time.sleep(20)

threading.Thread(target=work).start()
atexit.register(lambda: print("registered"))
main(["--version"])
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert any(line == "waited for\n" for line in running.stdout)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=15)
    assert (running.returncode, out, err) == (0, "registered\n", "")


def test_a_catalogue_is_one_file_when_its_writer_has_ended(small_study):
    """SQLite's log is in the file, so that a copy of it has the last commit."""
    done = small_study.run("ingest", str(small_study.file))
    assert done.returncode == 0, done.stderr
    assert [file.name for file in small_study.store_root.glob("catalogue.*")] == ["catalogue.sqlite"]


def test_a_profiler_is_told_of_the_end(tmp_path):
    """Who looks on writes behind the end what was seen."""
    command = [sys.executable, "-m", "cProfile", "-o", str(tmp_path / "seen"), "-m", "radzoo", "--version"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert (tmp_path / "seen").stat().st_size > 1000
