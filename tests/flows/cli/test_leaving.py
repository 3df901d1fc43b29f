"""How the command line's process ends: at once, and nothing that is registered for its end is left out."""

from __future__ import annotations

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
