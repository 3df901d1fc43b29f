"""What is called where a scheduled run ends badly: whom it tells what, and that its own faults end nothing."""

from __future__ import annotations

import json
import shlex
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from flows.serve.failure_hook import call_failure_hook, checked_failure_hook
from flows.serve.scheduled_run import RunOutcome
from flows.serve.schedules import study_flow
from flows.serve.work import ServedStudy
from schemas.errors import UsageError

BROKEN = RunOutcome(
    "refresh", "small", "broken", "disk full", {}, "2026-11-29 03:00:00 UTC refresh small: broken: disk full; 1 s"
)
WRITES = 'cat > {file}; echo $RADZOO_STUDY $RADZOO_VERB "$RADZOO_ENDING" "${{PREFECT_API_AUTH_STRING-none}}" >> {file}'


class Answering:
    """A server of HTTP that keeps what it is sent; one that redirects names another page of its own."""

    def __init__(self, status: int) -> None:
        kept: list[tuple[str, dict]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                kept.append((self.path, json.loads(body)))
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.kept = kept
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/told"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def answering():
    """Give a function that starts a server which answers with a status."""
    started = []

    def start(status):
        started.append(Answering(status))
        return started[-1]

    yield start
    for each in started:
        each.server.shutdown()
        each.server.server_close()


def test_a_command_gets_the_line_and_what_was_run(tmp_path, monkeypatch):
    """By standard input and environment; Prefect's secret is not in it."""
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "radzoo:secret")
    file = tmp_path / "told"
    assert call_failure_hook(WRITES.format(file=shlex.quote(str(file))), BROKEN) is None
    assert file.read_text().splitlines() == [BROKEN.line, "small refresh broken none"]


def test_nothing_of_a_run_becomes_part_of_the_command(tmp_path):
    """A line that a shell would carry out is text, whatever it holds."""
    planted = RunOutcome("refresh", "$(touch w)", "broken", "$(touch x); `touch y`", {}, "'; touch z; $(touch x)")
    file = tmp_path / "told"
    call_failure_hook(f"cd {tmp_path}; cat > told", planted)
    assert file.read_text() == planted.line + "\n"
    assert [each.name for each in tmp_path.iterdir()] == ["told"]


def test_an_address_gets_the_same_as_json(answering):
    """By POST."""
    server = answering(204)
    assert call_failure_hook(server.url, BROKEN) is None
    ((path, told),) = server.kept
    assert path == "/told"
    assert told == {
        "study": "small",
        "verb": "refresh",
        "ending": "broken",
        "message": "disk full",
        "counts": {},
        "line": BROKEN.line,
    }


@pytest.mark.parametrize("ending", ["complete", "known failures"])
def test_who_need_not_hear_is_not_told(ending, tmp_path):
    """A run without failures that are new calls nothing."""
    outcome = RunOutcome("refresh", "small", ending, "failed 1 (known)", {"failed": 1}, "line")
    assert call_failure_hook(f"touch {tmp_path}/told", outcome) is None
    assert not list(tmp_path.iterdir())


def test_why_a_hook_could_not_be_carried_out_is_a_phrase(answering):
    """A command that fails, an address that refuses, and one where nobody is."""
    server = answering(500)
    told = [call_failure_hook(hook, BROKEN) for hook in ("exit 3", server.url, "http://127.0.0.1:9/", "https://[")]
    assert told[0] == "--on-failure could not be carried out: the command ends with exit code 3"
    assert told[1] == "--on-failure could not be carried out: the address answers HTTP 500"
    assert told[2].startswith("--on-failure could not be carried out: the address cannot be reached: ")
    assert told[3].startswith("--on-failure could not be carried out: ")


@pytest.mark.parametrize("hook", ["", "  ", "https://", "http:///path"])
def test_a_hook_that_names_nothing_is_refused_before_anything_is_served(hook):
    """An empty command, and an address without a host."""
    with pytest.raises(UsageError, match="--on-failure"):
        checked_failure_hook(hook)


def test_a_broken_run_calls_it_and_a_failing_hook_leaves_a_line(small_study, prefect_server, tmp_path, capsys):
    """The run's state is the same; that the hook failed stands in a line of its own."""
    small_study.ingest()
    small_study.edit('unit = "[IU]/mL"', 'unit = "IU"')
    file = tmp_path / "told"
    served = ServedStudy(small_study.file, "small", small_study.store_root, "UTC", f"cat > {file}; exit 7")
    capsys.readouterr()
    state = study_flow("refresh", served)(return_state=True)
    assert (state.name, state.is_failed()) == ("Broken", True)
    run, hook = capsys.readouterr().err.splitlines()
    assert file.read_text().strip() == run
    assert hook.endswith("refresh small: --on-failure could not be carried out: the command ends with exit code 7")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_message_that_is_sent_elsewhere_is_not_delivered(answering, status):
    """Urllib would ask there for a page, without the message, and call that an answer."""
    fault = call_failure_hook(answering(status).url, BROKEN)
    assert fault == (f"--on-failure could not be carried out: the address answers HTTP {status} and names /elsewhere")


def test_an_answer_that_is_no_http_is_a_phrase():
    """Whoever listens there need not speak HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            connection.recv(10)
            connection.sendall(b"SSH-2.0-other\r\n")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        fault = call_failure_hook(f"http://127.0.0.1:{server.getsockname()[1]}/", BROKEN)
    assert "could not be carried out" in fault


def test_a_command_that_takes_too_long_leaves_no_process(tmp_path, monkeypatch):
    """What the shell has started ends with it."""
    monkeypatch.setattr("flows.serve.failure_hook._COMMAND_S", 1)
    fault = call_failure_hook(f"(sleep 60; true) & echo $! > {tmp_path / 'pid'}; wait; true", BROKEN)
    assert fault == "--on-failure could not be carried out: the command takes longer than 1 s"
    assert is_gone(int((tmp_path / "pid").read_text()))


def is_gone(pid):
    """Return whether a process has ended within seconds: one that waits to be collected has."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False
