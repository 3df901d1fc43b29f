"""No variable of the environment breaks Prefect: it works all the same, or the cause is a line with the next step."""

from __future__ import annotations

import socket
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from builders.command_line import radzoo_run
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.engine.prefect_environment import set_prefect_environment
from flows.engine.prefect_settings import checked_settings
from flows.engine.server import check as server_check
from flows.engine.server.check import refuse_unreachable_server
from flows.engine.server.process import ending_reason
from schemas.errors import NotFoundError, RadzooError, UsageError

DEAD = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _no_server_of_the_machine(monkeypatch):
    """Let no setting of this machine stand in the way of the one that a test sets."""
    for name in ("PREFECT_API_URL", "PREFECT_PROFILE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_loopback_never_goes_through_a_proxy(name):
    """Where a proxy is set, in either spelling, both spellings of NO_PROXY name this machine, and what they named."""
    environment = {name: DEAD, "NO_PROXY": "s3.example.org, 127.0.0.1", "no_proxy": "db.example.org"}
    set_prefect_environment(environment)
    assert environment["NO_PROXY"] == environment["no_proxy"]
    assert environment["NO_PROXY"].split(",") == ["db.example.org", "s3.example.org", "127.0.0.1", "localhost", "::1"]


@pytest.mark.parametrize(
    ("given", "no_proxy"),
    [
        ({}, None),
        ({"HTTP_PROXY": ""}, None),
        ({"HTTP_PROXY": DEAD, "NO_PROXY": "*"}, "*"),
        ({"HTTP_PROXY": DEAD, "PREFECT_API_URL": "http://127.0.1.1:4200/api"}, "127.0.0.1,localhost,::1,127.0.1.1"),
        ({"HTTP_PROXY": DEAD, "PREFECT_API_URL": "http://prefect.example.org/api"}, "127.0.0.1,localhost,::1"),
    ],
)
def test_nothing_else_is_taken_off_the_proxy(given, no_proxy):
    """Without a proxy nothing is set; a server elsewhere is still reached through it."""
    environment = dict(given)
    set_prefect_environment(environment)
    assert environment.get("NO_PROXY") == no_proxy


WRONG = {
    "a level that is none": ({"PREFECT_LOGGING_LEVEL": "LOUD"}, "PREFECT_LOGGING_LEVEL='LOUD' is wrong"),
    "a number that is none": ({"PREFECT_API_REQUEST_TIMEOUT": "abc"}, "PREFECT_API_REQUEST_TIMEOUT='abc' is wrong"),
    "no JSON": ({"PREFECT_CLIENT_CUSTOM_HEADERS": "x"}, "settings cannot be read: .*custom_headers"),
    "no server allowed": ({"PREFECT_SERVER_EPHEMERAL_ENABLED": "false"}, "there is no Prefect server"),
    "its older name": ({"PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false"}, "there is no Prefect server"),
    "no address": ({"PREFECT_API_URL": "hello"}, "PREFECT_API_URL is no address of a server: 'hello'"),
    "another protocol": ({"PREFECT_API_URL": "ftp://host/api"}, "is no address of a server"),
    "an unknown profile": ({"PREFECT_PROFILE": "nonsuch"}, "does not exist: 'nonsuch'"),
    "a home that is a file": ({"PREFECT_HOME": "/etc/passwd"}, "cannot be written to its folder: it is a file"),
    "a home below a file": ({"PREFECT_HOME": "/etc/passwd/x"}, "cannot be written to its folder: Not a directory"),
    "no database": ({"PREFECT_API_DATABASE_CONNECTION_URL": "no sense"}, "is no database URL: 'no sense'"),
    "another database": ({"PREFECT_SERVER_DATABASE_CONNECTION_URL": "mysql://u:secret@h/d"}, "'mysql' is neither"),
    "a certificate that is missing": ({"SSL_CERT_FILE": "/nonsuch"}, "SSL_CERT_FILE names a file that does not exist"),
}


@pytest.mark.parametrize(("variables", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_setting_is_named_in_one_line_with_the_next_step(variables, message, monkeypatch):
    """Each wrong variable is a fault of usage: its message is one line without passwords, its hint is not empty."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=message) as error:
        checked_settings()
    assert "\n" not in error.value.message
    assert "secret" not in str(error.value)
    assert error.value.hint


def test_a_damaged_file_of_profiles_is_named(monkeypatch, tmp_path):
    """Prefect's profiles.toml that is not TOML is named with its path."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    (tmp_path / "profiles.toml").write_text("this is [no TOML")
    with pytest.raises(UsageError, match="profiles cannot be read") as error:
        checked_settings()
    assert error.value.where == str(tmp_path / "profiles.toml")


def test_a_profile_may_forbid_the_temporary_server(monkeypatch, tmp_path):
    """A profile that names no server and starts none is refused as the variable is."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    (tmp_path / "profiles.toml").write_text('active = "mine"\n[profiles.mine]\nPREFECT_LOGGING_LEVEL = "INFO"\n')
    with pytest.raises(UsageError, match="there is no Prefect server"):
        checked_settings()


def test_records_that_are_no_database_are_named(monkeypatch, tmp_path):
    """A prefect.db that SQLite cannot read is named before a server is started on it."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    (tmp_path / "prefect.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(UsageError, match="records cannot be used: file is not a database"):
        checked_settings()


def test_a_database_server_that_does_not_answer_is_named(monkeypatch):
    """A database of Prefect's that nobody serves is not found, and its password is not shown."""
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", "postgresql+asyncpg://u:secret@127.0.0.1:9/d")
    with pytest.raises(NotFoundError, match="does not answer: Connection refused") as error:
        checked_settings()
    assert "secret" not in str(error.value)


def test_a_folder_that_is_not_there_yet_is_made(monkeypatch, tmp_path):
    """PREFECT_HOME may be a folder whose parents do not exist, which Prefect itself would not make."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "a" / "b"))
    assert checked_settings().home == tmp_path / "a" / "b"
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("proxy", ["socks5://u:secret@127.0.0.1:9", "foo://bar", "http://host:port"])
def test_a_proxy_that_prefect_cannot_read_is_left_out_for_a_server_here(proxy, monkeypatch, capsys):
    """Its client would fail on it even for this machine; with a server elsewhere it is refused."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    checked_settings()
    line = capsys.readouterr().err
    assert line.startswith("ALL_PROXY is left out")
    assert "secret" not in line
    monkeypatch.setenv("ALL_PROXY", proxy)
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example.org/api")
    with pytest.raises(UsageError, match="is no proxy that Prefect can use") as error:
        checked_settings()
    assert "secret" not in str(error.value)


class _Other(BaseHTTPRequestHandler):
    """A web server that is not Prefect's: its answer is the path's number, with a page."""

    def do_GET(self):
        self.send_response(int(self.path.split("/")[1]))
        self.end_headers()
        self.wfile.write(b"<html>welcome</html>")

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def other_server():
    """Give the address of a web server that is not Prefect's."""
    with HTTPServer(("127.0.0.1", 0), _Other) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/404/api", r"something else than Prefect's server answers \(HTTP 404\)"),
        ("/200/api", r"something else than Prefect's server answers \(no JSON\)"),
        ("/401/api", r"Prefect's server refuses the key \(HTTP 401\)"),
        ("/503/api", r"something else than Prefect's server answers \(HTTP 503\)"),
    ],
)
def test_something_else_than_prefect_is_not_taken_for_it(path, message, other_server):
    """A port where another program answers is told from Prefect's server at once."""
    with (
        temporary_settings({PREFECT_API_URL: other_server + path}),
        pytest.raises(NotFoundError, match=message) as error,
    ):
        refuse_unreachable_server()
    assert error.value.where == other_server + path


def test_a_server_that_refuses_is_not_waited_for_and_one_that_says_nothing_is_asked_twice(monkeypatch, capsys):
    """A refused connection and one that is never answered are told apart: a busy server gets a second, longer look."""
    monkeypatch.setattr(server_check, "_PATIENCE_S", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        with temporary_settings({PREFECT_API_URL: url}):
            with pytest.raises(NotFoundError, match=r"does not answer: .*refused"):
                refuse_unreachable_server()
            silent.listen()
            with pytest.raises(NotFoundError, match=r"does not answer within 1\.8 s"):
                refuse_unreachable_server()
            assert capsys.readouterr().err == "Prefect's server does not answer within 0.3 s: asking once more\n"


def test_prefects_own_server_is_accepted(prefect_server):
    """The server of the session's tests passes."""
    assert prefect_server
    refuse_unreachable_server()


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("", "it gives no reason"),
        ("one\ntwo\n", "two"),
        (
            "Traceback (most recent call last):\n  File a.py\nsqlalchemy.exc.ArgumentError: no URL\n\nERROR: exiting\n",
            "sqlalchemy.exc.ArgumentError: no URL",
        ),
        ("OSError: postgresql://u:secret@h/d is gone", "OSError: postgresql://u:***@h/d is gone"),
    ],
)
def test_the_reason_of_a_server_that_ended_is_one_line(log, reason):
    """Of all that a server wrote, the line of its last exception is shown, without passwords."""
    assert ending_reason(log) == reason


@pytest.mark.slow
def test_a_temporary_server_that_cannot_start_is_given_up_at_once(small_study, tmp_path):
    """Records of another Prefect end the server; the command ends with its reason, exit code 3 and no traceback."""
    small_study.ingest()
    with sqlite3.connect(tmp_path / "prefect.db") as records:
        records.execute("CREATE TABLE alembic_version (version_num VARCHAR)")
        records.execute("INSERT INTO alembic_version VALUES ('of tomorrow')")
    records.close()
    run = radzoo_run("--store", str(small_study.store_root), "refresh", variables={"PREFECT_HOME": str(tmp_path)})
    assert run.returncode == NotFoundError.exit_code
    assert "Prefect's temporary server ends at once: " in run.stderr
    assert "of tomorrow" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("variables", "error"),
    [
        ({"PREFECT_SERVER_EPHEMERAL_ENABLED": "false"}, UsageError),
        ({"PREFECT_API_URL": f"{DEAD}/api"}, NotFoundError),
    ],
)
def test_a_verb_ends_with_a_line_and_its_exit_code(variables, error: type[RadzooError], small_study):
    """Refresh with a wrong setting says so on stderr and leaves with the exit code of its kind."""
    small_study.ingest()
    run = radzoo_run("--store", str(small_study.store_root), "refresh", variables=variables)
    assert run.returncode == error.exit_code
    assert run.stderr.splitlines()[-2].startswith("error: ")
    assert run.stderr.splitlines()[-1].startswith("next: ")
    assert "Traceback" not in run.stderr
