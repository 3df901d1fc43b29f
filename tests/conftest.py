"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from pyarrow.fs import S3FileSystem
from servers import postgresql_binaries, running_postgresql, running_s3
from sqlalchemy import create_engine, make_url, text

from store.address import StoreAddress

SHARED_DATA = Path(os.environ.get("RADZOO_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


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


def address_of(place: str, request: pytest.FixtureRequest) -> StoreAddress:
    """Return an address where nothing lies yet: where the catalogue lies, a dash, where the data lie."""
    catalogue, _, data = place.partition("-")
    url = bucket = None
    if catalogue == "postgresql":
        url = request.getfixturevalue("postgresql_server")
        engine = create_engine(make_url(url).set(drivername="postgresql+pg8000"))
        with engine.begin() as connection:
            connection.execute(text("drop schema public cascade"))
            connection.execute(text("create schema public"))
        engine.dispose()
    if data == "s3":
        base, _, options = request.getfixturevalue("s3_server").partition("?")
        bucket = f"{base}/t{uuid.uuid4().hex}?{options}"
    return StoreAddress(url, bucket)


@pytest.fixture
def new_address(request: pytest.FixtureRequest) -> Callable[[str], StoreAddress]:
    """Return a function that gives an address of a kind, where nothing lies yet."""
    return lambda place: address_of(place, request)
