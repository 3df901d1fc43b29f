"""The API of `radzoo serve`: it answers who has its secret, no page of another origin, and runs nothing but its own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from base64 import b64encode
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from builders.command_line import RADZOO
from builders.study import SmallStudy

from flows.engine.server.loopback_app import LoopbackApp
from flows.engine.server_secret import secret_file, share_secret

SCRIPT = "prefect.deployments.steps.run_shell_script"


@dataclass
class Served:
    """A running ``radzoo serve``."""

    process: subprocess.Popen[str]
    port: int
    folder: Path
    store: Path

    @property
    def secret(self) -> str:
        """What its file of a secret holds."""
        return (self.folder / f"radzoo-serve-{self.port}.secret").read_text()

    @property
    def output(self) -> str:
        """All that it has written."""
        return (self.folder / "output").read_text()

    def asked(
        self, method: str, path: str, body: Any = None, *, with_secret: bool = True, **headers: str
    ) -> tuple[int, str]:
        """Return the status and the text of an answer of its API."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        named = {"Content-Type": "application/json"} | {key.replace("_", "-"): each for key, each in headers.items()}
        if with_secret:
            named["Authorization"] = f"Basic {b64encode(self.secret.encode()).decode()}"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), named)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def asked_again(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Ask until Prefect's database is not locked, which it answers with 503."""
        for _ in range(20):
            status, text = self.asked(method, path, body)
            if status != 503:
                break
            time.sleep(0.5)
        return status, text

    @property
    def deployment(self) -> dict[str, Any]:
        """The deployment of its study's refresh."""
        return self.deployment_of("refresh")

    def deployment_of(self, verb: str) -> dict[str, Any]:
        """Return the deployment of a verb."""
        (found,) = self.deployments(verb)
        return found

    def deployments(self, verb: str) -> list[dict[str, Any]]:
        """Return the deployment of a verb, none before it is registered."""
        named = {"flows": {"name": {"any_": [f"{verb}-study"]}}, "deployments": {"name": {"any_": ["small"]}}}
        return json.loads(self.asked_again("POST", "/api/deployments/filter", named)[1])

    def is_fixed(self, verb: str) -> bool:
        """Return whether the server refuses parameters of a verb's runs by now."""
        schemas = [each["parameter_openapi_schema"] for each in self.deployments(verb)]
        return [each.get("additionalProperties") for each in schemas] == [False]

    def ended_run(self, created: str) -> dict[str, Any]:
        """Return a run when it has ended, by the answer that created it."""
        run = json.loads(created)
        for _ in range(240):
            run = json.loads(self.asked_again("GET", f"/api/flow_runs/{run['id']}")[1])
            if run["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
                return run
            time.sleep(0.25)
        raise TimeoutError(str(run))


@pytest.fixture(scope="module")
def served(prefect_records, tmp_path_factory):
    """Give a `radzoo serve` with a server of its own, its study at work on no schedule of the next hours."""
    folder = tmp_path_factory.mktemp("served")
    study = SmallStudy.below(folder)
    shutil.copy(prefect_records, folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    left_out = ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING", "RADZOO_STORE")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    environment |= {"PREFECT_HOME": str(folder), "PREFECT_RUNNER_POLL_FREQUENCY": "1"}
    command = [RADZOO, "--store", str(study.store_root), "serve", str(study.file), "--refresh", "0 0 29 2 *"]
    command += ["--report", "by-hand", "--report-file", str(folder / "small.html")]
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port)], stdout=output, stderr=output, env=environment, start_new_session=True
        )
    found = Served(process, port, folder, study.store_root)
    try:
        deadline = time.monotonic() + 120
        while True:
            assert process.poll() is None, found.output
            assert time.monotonic() < deadline, found.output
            # The last that it does before it waits.
            if "by hand" in found.output and found.is_fixed("report"):
                break
            time.sleep(0.5)
        yield found
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_without_the_secret_nothing_is_answered(served):
    """An unauthenticated POST of any content type, a wrong secret and a reading are refused with 401."""
    path = f"/api/deployments/{served.deployment['id']}/create_flow_run"
    for content in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
        assert served.asked("POST", path, {}, with_secret=False, Content_Type=content)[0] == 401
    wrong = b64encode(b"radzoo:wrong").decode()
    assert served.asked("POST", path, {}, with_secret=False, Authorization=f"Basic {wrong}")[0] == 401
    assert served.asked("POST", "/api/deployments/filter", {}, with_secret=False)[0] == 401
    assert json.loads(served.asked("GET", "/ui-settings", with_secret=False)[1])["auth"] == "BASIC"


@pytest.mark.slow
def test_a_page_of_another_origin_is_refused_whatever_it_knows(served):
    """A cross-origin POST is refused with the secret too, its preflight as well, and so is a host's foreign name."""
    path = f"/api/deployments/{served.deployment['id']}/create_flow_run"
    for origin in ("https://page.example", "null", "http://localhost:3000", f"https://127.0.0.1:{served.port}"):
        assert served.asked("POST", path, {}, Origin=origin)[0] == 403
        assert served.asked("OPTIONS", path, Origin=origin, Access_Control_Request_Method="POST")[0] == 403
    assert served.asked("POST", path, {}, Host=f"page.example:{served.port}")[0] == 403
    own = f"http://127.0.0.1:{served.port}"
    assert served.asked("POST", "/api/deployments/filter", {}, Origin=own)[0] == 200


@pytest.mark.slow
def test_a_foreign_study_file_or_store_is_refused_with_the_secret(served):
    """A run with parameters is refused by the server, and by the run itself where the server was told to allow them."""
    path = f"/api/deployments/{served.deployment['id']}/create_flow_run"
    foreign = {"study_file": str(served.folder / "other.toml"), "store": str(served.folder / "other")}
    status, text = served.asked_again("POST", path, {"parameters": foreign})
    assert (status, "study_file" in text) == (409, True)
    allowed = {"parameters": foreign, "enforce_parameter_schema": False}
    run = served.ended_run(served.asked_again("POST", path, allowed)[1])
    assert run["state"]["type"] == "CRASHED"
    assert not (served.folder / "other").exists()


@pytest.mark.slow
def test_what_a_deployment_is_made_to_say_is_not_run(served):
    """Another entrypoint, steps and job variables change nothing of what a run does, which works as scheduled."""
    deployment, written = served.deployment, served.folder / "written"
    steps = [{SCRIPT: {"script": f"touch {written}"}}]
    changed = {"entrypoint": "os.system", "pull_steps": steps}
    assert served.asked_again("PATCH", f"/api/deployments/{deployment['id']}", changed)[0] == 204
    foreign = {"name": "other", "flow_id": deployment["flow_id"], "schedules": []} | changed
    status, other = served.asked_again("POST", "/api/deployments/", foreign)
    assert status == 201
    waiting = served.asked_again("POST", f"/api/deployments/{json.loads(other)['id']}/create_flow_run", {})[1]
    variables = {"job_variables": {"command": f"touch {written}", "env": {"RADZOO_STORE": "/elsewhere"}}}
    created = served.asked_again("POST", f"/api/deployments/{deployment['id']}/create_flow_run", variables)[1]
    run = served.ended_run(created)
    assert run["state"]["name"] == "Completed"
    assert "computed 8, reused 0, failed 0" in run["state"]["message"]
    assert "refresh small: computed 8" in served.output
    # The one of the other deployment was created before, and nobody has taken it.
    waiting_run = json.loads(served.asked_again("GET", f"/api/flow_runs/{json.loads(waiting)['id']}")[1])
    assert waiting_run["state"]["type"] == "SCHEDULED"
    assert not written.exists()
    served.asked_again("DELETE", f"/api/deployments/{json.loads(other)['id']}")


@pytest.mark.slow
def test_what_has_no_schedule_runs_when_it_is_started(served):
    """A deployment by hand waits for whoever starts it, and does its own verb alone."""
    assert [each["schedule"]["cron"] for each in served.deployment["schedules"]] == ["0 0 29 2 *"]
    report = served.deployment_of("report")
    assert report["schedules"] == []
    run = served.ended_run(served.asked_again("POST", f"/api/deployments/{report['id']}/create_flow_run", {})[1])
    assert (run["state"]["name"], run["state"]["message"]) == ("Completed", "wrote small.html; no commit")
    assert "<html" in (served.folder / "small.html").read_text()


@pytest.mark.slow
def test_the_secret_is_in_a_file_of_this_account_and_in_nothing_else(served):
    """The file may be read by its owner alone; arguments of processes, output and logs do not hold the secret."""
    file = served.folder / f"radzoo-serve-{served.port}.secret"
    secret = served.secret
    assert file.stat().st_mode & 0o777 == 0o600
    assert str(file) in served.output
    assert len(secret) > 40
    token = secret.partition(":")[2]
    commands = [each.read_bytes() for each in Path("/proc").glob("[0-9]*/cmdline") if each.exists()]
    assert not any(token.encode() in each for each in commands)
    others = [each for each in served.folder.rglob("*") if each.is_file() and each != file]
    assert [each for each in others if token.encode() in each.read_bytes()] == []


@pytest.mark.slow
def test_sigterm_ends_it_and_takes_the_secret_away(served):
    """The last that the server sees: exit code 0, and the server, its port and the secret's file are gone."""
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(timeout=60) == 0
    assert served.output.endswith(" stopped\n")
    assert list(served.folder.glob("*.secret")) == []
    with socket.socket() as gone:
        assert gone.connect_ex(("127.0.0.1", served.port)) != 0


def test_a_link_in_the_secrets_place_is_not_followed(tmp_path):
    """What stands where the file of a secret goes is replaced, and what a link leads to stays as it is."""
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "radzoo-serve-4200.secret").symlink_to(tmp_path / "mine")
    with secret_file("radzoo:secret", tmp_path, 4200) as file:
        assert file.read_text() == "radzoo:secret"
        assert not file.is_symlink()
    assert (tmp_path / "mine").read_text() == "mine"
    assert not file.exists()


def test_the_file_of_another_server_of_the_same_port_stays(tmp_path):
    """Whoever came later has the file: leaving takes one's own away alone."""
    with secret_file("radzoo:first", tmp_path, 4200) as file:
        file.write_text("radzoo:second")
    assert file.read_text() == "radzoo:second"


def test_each_start_makes_a_secret_unless_the_user_has_one():
    """Two starts have two secrets, known to server and client alike; one of the user's own is kept."""
    first: dict[str, str] = {}
    second: dict[str, str] = {}
    assert share_secret(first, None) != share_secret(second, None)
    assert first["PREFECT_API_AUTH_STRING"] == first["PREFECT_SERVER_API_AUTH_STRING"]
    assert share_secret(first, "me:mine") == "me:mine"
    assert first["PREFECT_API_AUTH_STRING"] == "me:mine"


@pytest.mark.parametrize(
    ("headers", "is_answered"),
    [
        ({"host": "127.0.0.1:4200"}, True),
        ({"host": "localhost:4200", "origin": "http://localhost:4200"}, True),
        ({"host": "[::1]:4200"}, True),
        ({"host": "LocalHost:4200", "origin": "http://localhost:4200"}, True),
        ({"host": "localhost:4200", "origin": "http://127.0.0.1:4200"}, False),
        ({"host": "localhost:4200", "origin": "http://localhost:4201"}, False),
        ({"host": "localhost.page.example:4200"}, False),
        ({"host": "127.0.0.1.page.example"}, False),
        ({"host": "localhost:4200@page.example"}, False),
        ({"host": "page.example", "origin": "http://page.example"}, False),
        ({}, False),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_only_names_and_pages_of_this_machine_pass(headers, is_answered, kind):
    """A request passes by its host and its origin together, over HTTP and over a web socket alike."""
    passed, sent = [], []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["type"])

    async def send(message: Any) -> None:
        sent.append(message["type"])

    listed = [(name.encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(LoopbackApp(app)({"type": kind, "headers": listed}, None, send))  # type: ignore[arg-type]
    assert bool(passed) is is_answered
    assert bool(sent) is not is_answered
