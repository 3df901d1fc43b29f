"""Fixtures shared by all tests."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

# Read when the libraries are loaded. Tests run one process a core: threads beside it wait for one another, and a fit of
# a few columns takes twice as long.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import hypothesis
import pytest
from pyarrow.fs import S3FileSystem
from servers import postgresql_binaries, running_postgresql, running_s3
from sqlalchemy import Connection, create_engine, make_url, text

from store.address import StoreAddress, write_address
from store.home import Store

SHARED_DATA = Path(os.environ.get("RADZOO_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


# A test never asserts a time: a busy machine is no fault of the code.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

# A background job of a shell ignores it, and so would all that it starts: tests of Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A store waits for the disk at each commit, and the tests make thousands: in memory, nobody waits. Read by pytest, and
# by all processes that tests start. TMPDIR names another place, a disk for example.
_MEMORY, _ROOM = Path("/dev/shm"), 8 << 30  # noqa: S108  (pytest makes a folder there that only its user reads)
if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM:
    os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)


# A million objects of libraries and tests stay until the end. The collector looks through them again and again while
# they are made, and later whenever a test has made some: a third of the collection's time.
gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that have slow tests: one that is begun last keeps one core busy and the other idle."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """Leave out of the collector's sight what stays until the end, and let it work from here on."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let what radzoo keeps for its user outside of stores lie where it goes with the tests."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RADZOO_STATE", str(tmp_path_factory.mktemp("state")))
        environment.setenv("RADZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Return a function that gives the path of a real data set, or skips the test where it is absent."""

    def path_of(name: str) -> Path:
        path = SHARED_DATA / name
        if not path.exists():
            pytest.skip(f"real data '{name}' is not there: set RADZOO_TEST_DATA to the folder that holds it")
        return path

    return path_of


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Give the URL of a PostgreSQL server of the tests' own; the test is skipped where none is installed."""
    binaries = postgresql_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with running_postgresql(binaries) as url:
        yield url


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Give the URL of a bucket on an S3-compatible server of the tests' own, its options behind a question mark."""
    with running_s3() as address, pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "testing")
        options = {"endpoint_override": address, "scheme": "http", "region": "us-east-1"}
        S3FileSystem(allow_bucket_creation=True, **options).create_dir("radzoo")
        yield f"s3://radzoo?{urlencode(options)}"


@pytest.fixture(scope="session")
def catalogue_template(postgresql_server: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the name of a database with the catalogue of an empty store, to be copied: making one takes longer."""
    with _administered(postgresql_server) as connection:
        connection.execute(text("create database template"))
    root = tmp_path_factory.mktemp("template") / "store"
    write_address(root, StoreAddress(_database(postgresql_server, "template")))
    Store(root, create=True).engine.dispose()
    return "template"


@contextmanager
def _administered(url: str) -> Iterator[Connection]:
    engine = create_engine(make_url(url).set(drivername="postgresql+pg8000"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _database(url: str, name: str) -> str:
    return url.rpartition("/")[0] + f"/{name}"


def address_of(place: str, request: pytest.FixtureRequest, *, with_tables: bool = False) -> StoreAddress:
    """Return an address where nothing lies yet: where the catalogue lies, a dash, where the data lie.

    Where asked for, a catalogue on a server has the tables of an empty store.
    """
    catalogue, _, data = place.partition("-")
    url = bucket = None
    if catalogue == "postgresql":
        server = request.getfixturevalue("postgresql_server")
        template = request.getfixturevalue("catalogue_template") if with_tables else "template0"
        name = f"t{uuid.uuid4().hex}"
        with _administered(server) as connection:
            connection.execute(text(f"create database {name} template {template}"))
        url = _database(server, name)
    if data == "s3":
        base, _, options = request.getfixturevalue("s3_server").partition("?")
        bucket = f"{base}/t{uuid.uuid4().hex}?{options}"
    return StoreAddress(url, bucket)


@contextmanager
def _new_addresses(request: pytest.FixtureRequest) -> Iterator[Callable[..., StoreAddress]]:
    """Give a function that returns new addresses; the databases that it made go with the block."""
    made: list[str] = []

    def new(place: str, *, with_tables: bool = False) -> StoreAddress:
        address = address_of(place, request, with_tables=with_tables)
        made.extend([address.catalogue] if address.catalogue else [])
        return address

    yield new
    for url in made:
        server, _, name = url.rpartition("/")
        with _administered(f"{server}/postgres") as connection:
            connection.execute(text(f"drop database {name} with (force)"))


@pytest.fixture
def new_address(request: pytest.FixtureRequest) -> Iterator[Callable[..., StoreAddress]]:
    """Give a function that returns an address of a kind, as `address_of` does."""
    with _new_addresses(request) as new:
        yield new


@pytest.fixture(scope="module")
def new_address_of_module(request: pytest.FixtureRequest) -> Iterator[Callable[..., StoreAddress]]:
    """Give what `new_address` gives, for stores that the tests of a module share."""
    with _new_addresses(request) as new:
        yield new
