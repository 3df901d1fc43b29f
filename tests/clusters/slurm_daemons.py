"""A real Slurm of one node: its authentication, its controller and its node daemon, for the length of a test."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from servers import free_port

__all__ = ["Slurm", "running_slurm"]

_DAEMONS = ("munged", "slurmctld", "slurmd")
_CONFIGURATION = """
ClusterName=radzoo
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0
ReturnToService=2
KillWait=2
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=16000
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@dataclass(frozen=True)
class Slurm:
    """A running Slurm."""

    folder: Path
    environment: Mapping[str, str]
    """What its commands need."""

    def told(self, *command: str) -> str:
        """Return what a command of Slurm's prints."""
        done = subprocess.run(command, env=os.environ | dict(self.environment), capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def jobs(self) -> list[str]:
        """Return the states of the jobs that it has."""
        return self.told("squeue", "--noheader", "--format=%T").split()


@contextmanager
def running_slurm() -> Iterator[Slurm]:
    """Give a Slurm of one node that ends with the block, its jobs too; the test is skipped where none is installed."""
    if missing := [name for name in _DAEMONS if _program(name) is None]:
        pytest.skip(f"Slurm is not installed ({', '.join(missing)}): apt-get install slurm-wlm munge")
    # Short, for the sockets' paths.
    folder = Path(tempfile.mkdtemp(prefix="radzoo-slurm-"))
    folder.chmod(0o755)
    started: list[subprocess.Popen[bytes]] = []
    try:
        environment = {"SLURM_CONF": str(_configuration(folder))}
        try:
            for command in _commands(folder):
                started.append(subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.DEVNULL))
                if "munged" in command[0]:
                    _wait_for(started, (folder / "munge.socket").exists)
            _wait_for(started, lambda: _is_idle(environment), seconds=60)
        except AssertionError as error:
            # No fault of radzoo's: a container may have no name for itself, or refuse what the daemons need.
            pytest.skip(f"Slurm is installed and does not come up on this machine: {error}")
        slurm = Slurm(folder, environment)
        yield slurm
        with suppress(AssertionError):
            slurm.told("scancel", "--user", pwd.getpwuid(os.geteuid()).pw_name)
            _wait_for(started, lambda: not slurm.jobs())
    finally:
        for process in reversed(started):
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> str | None:
    # Daemons are often not on the path of who is no administrator.
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def _configuration(folder: Path) -> Path:
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    file = folder / "slurm.conf"
    values = {"host": socket.gethostname(), "user": pwd.getpwuid(os.geteuid()).pw_name, "folder": folder}
    ports = {"controller_port": free_port(), "node_port": free_port()}
    file.write_text(_CONFIGURATION.format(**values, **ports))
    (folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
    return file


def _commands(folder: Path) -> list[list[str]]:
    munged, controller, node = (str(_program(name)) for name in _DAEMONS)
    files = [f"--{what}={folder}/munge.{ending}" for what, ending in (("key-file", "key"), ("socket", "socket"))]
    files += [f"--{what}-file={folder}/munge.{what}" for what in ("pid", "log", "seed")]
    return [[munged, "--foreground", "--force", *files], [controller, "-D"], [node, "-D"]]


def _is_idle(environment: Mapping[str, str]) -> bool:
    asked = ["sinfo", "--noheader", "--format=%T"]
    done = subprocess.run(asked, env=os.environ | dict(environment), capture_output=True, text=True)
    return done.stdout.strip() == "idle"


def _wait_for(started: list[subprocess.Popen[bytes]], is_so: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        ended = [str(each.args) for each in started if each.poll() is not None]
        assert not ended, f"ended at once: {ended}"
        assert time.monotonic() < deadline, "it was waited for in vain"
        time.sleep(0.1)
