"""Where trials' stores lie: a folder, or a database of a real PostgreSQL and a bucket of an S3 server behind it."""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from pyarrow.fs import S3FileSystem
from sqlalchemy import create_engine, make_url, text

from attacks.faults.gate import Gate
from attacks.faults.processes import Verb
from attacks.kills import content
from attacks.made.race_study import written_study
from store.address import StoreAddress, write_address
from store.home import Store

if TYPE_CHECKING:
    from attacks.faults.networks import Apart

__all__ = ["Places"]


class Places:
    """Stores at the stages that verbs start from, and what an undisturbed verb makes of them."""

    def __init__(self, folder: Path, prefect: str, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.environment = {
            "PREFECT_API_URL": prefect,
            "OMP_NUM_THREADS": "1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }
        os.environ |= {name: self.environment[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        self.study = written_study(folder / "study")
        self._expected: dict[str, dict[str, str]] = {}
        self._postgresql: str | None = None
        self._s3: str | None = None
        self._apart: Apart | None = None
        self.gate_of_postgresql: Gate | None = None
        self.gate_of_s3: Gate | None = None
        (folder / "stages" / "empty").mkdir(parents=True)
        self._run(folder / "growing", "ingest", str(self.study))
        shutil.copytree(folder / "growing", folder / "stages" / "ingested")
        self._run(folder / "growing", "refresh", "--feature-set", "quick", "--workers", "2")
        shutil.copytree(folder / "growing", folder / "stages" / "refreshed")
        shutil.rmtree(folder / "growing")

    def make(self, stage: str, place: str, root: Path) -> None:
        """Make a store at a stage."""
        if place == "local":
            root.mkdir(exist_ok=True)
            shutil.copytree(self.folder / "stages" / stage, root, dirs_exist_ok=True)
            if stage != "empty":
                self._publish(root)
            return
        if place == "apart":
            address = self._address_apart()
        else:
            address = StoreAddress(
                self._database() if place == "postgresql" else None, self._bucket() if place == "s3" else None
            )
        write_address(root, address)
        if stage != "empty":
            self._run(root, "ingest", str(self.study))
        if stage == "refreshed":
            self._run(root, "refresh", "--feature-set", "quick", "--workers", "2")

    def expected(self, verb: str, line: list[str], stage: str) -> dict[str, str]:
        """Return what an undisturbed verb makes of a stage."""
        if verb not in self._expected:
            root = self.folder / "undisturbed"
            self.make(stage, "local", root)
            self._run(root, *line)
            store = Store(root)
            self._expected[verb] = content(store)
            store.close()
            shutil.rmtree(root)
        return self._expected[verb]

    def _publish(self, root: Path) -> None:
        self._run(root, "store", "publish")

    def _run(self, root: Path, *line: str) -> None:
        verb = Verb(root, line, self.environment, self.folder / "log")
        if code := verb.ended(300):
            raise RuntimeError(f"{line[0]} ended with {code}: {verb.said()}")

    def _database(self) -> str:
        if self._postgresql is None:
            from attacks.faults.postgresql import Postgresql

            self.postgresql = self.stack.enter_context(Postgresql.running())
            self._postgresql = self.postgresql.url
            self.gate_of_postgresql = self.stack.enter_context(Gate.before(self.postgresql.port))
        return _new_database(self._postgresql, self.gate_of_postgresql.port)

    def _address_apart(self) -> StoreAddress:
        """Return a database and a bucket on the servers in a namespace of their own."""
        if self._apart is None:
            from attacks.faults.networks import Apart

            self._apart = self.stack.enter_context(Apart.running())
            _make_bucket(self._apart.s3)
        url = self._apart.postgresql.url
        return StoreAddress(
            _new_database(url, make_url(url).port), f"s3://radzoo/t{uuid.uuid4().hex[:12]}?{self._apart.s3}"
        )

    @property
    def apart(self) -> Apart:
        """Return the servers in a namespace of their own, which a store's making starts."""
        assert self._apart is not None
        return self._apart

    def _bucket(self) -> str:
        if self._s3 is None:
            from servers import running_s3

            address = self.stack.enter_context(running_s3())
            self.gate_of_s3 = self.stack.enter_context(Gate.before(int(address.rpartition(":")[2])))
            options = {"endpoint_override": address, "scheme": "http", "region": "us-east-1"}
            _make_bucket(urlencode(options))
            options["endpoint_override"] = f"127.0.0.1:{self.gate_of_s3.port}"
            self._s3 = urlencode(options)
        return f"s3://radzoo/t{uuid.uuid4().hex[:12]}?{self._s3}"


def _new_database(server: str, port: int | None) -> str:
    """Make a database and return its URL at a port, which may be that of a gate."""
    name = f"t{uuid.uuid4().hex[:12]}"
    engine = create_engine(make_url(server).set(drivername="postgresql+pg8000"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"create database {name}"))
    engine.dispose()
    return make_url(server).set(database=name, port=port).render_as_string(hide_password=False)


def _make_bucket(options: str) -> None:
    S3FileSystem(allow_bucket_creation=True, **dict(parse_qsl(options))).create_dir("radzoo")
