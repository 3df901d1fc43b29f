"""Stores for the tests of the store: empty ones at every place, and ones filled with a small study."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders.store import fill, opened_at

from store.address import StoreAddress
from store.home import Store


@pytest.fixture(params=["sqlite-local", "postgresql-local"])
def store_of_any_catalogue(
    request: pytest.FixtureRequest, new_address: Callable[..., StoreAddress], tmp_path: Path
) -> Iterator[Store]:
    """Give an empty store: what holds for one catalogue holds for the other."""
    yield from opened_at(new_address(request.param, with_tables=True), tmp_path / "store")


@pytest.fixture(params=["sqlite-local", "sqlite-s3"])
def store_of_any_data(
    request: pytest.FixtureRequest, new_address: Callable[..., StoreAddress], tmp_path: Path
) -> Iterator[Store]:
    """Give an empty store: what holds for one place of its files holds for the other."""
    yield from opened_at(new_address(request.param, with_tables=True), tmp_path / "store")


@pytest.fixture(params=["sqlite-local", "postgresql-s3"])
def store_anywhere(
    request: pytest.FixtureRequest, new_address: Callable[..., StoreAddress], tmp_path: Path
) -> Iterator[Store]:
    """Give an empty store at each kind of place: all in its folder, then catalogue and files both elsewhere."""
    yield from opened_at(new_address(request.param, with_tables=True), tmp_path / "store")


@pytest.fixture(scope="session")
def _empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an empty store, to be copied: making its tables takes longer."""
    store = Store(tmp_path_factory.mktemp("empty") / "store", create=True)
    store.close()
    return store.root


@pytest.fixture
def store(_empty_folder: Path, tmp_path: Path) -> Store:
    """Return an empty store that lies in its folder, catalogue and data."""
    return Store(Path(shutil.copytree(_empty_folder, tmp_path / "store")))


@pytest.fixture(scope="session")
def _filled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a store that holds the small study, to be copied: three commits take longer."""
    store = Store(tmp_path_factory.mktemp("filled") / "store", create=True)
    fill(store)
    store.close()
    return store.root


@pytest.fixture
def filled(_filled_folder: Path, tmp_path: Path) -> Store:
    """Return a store of its own that holds the small study."""
    return Store(Path(shutil.copytree(_filled_folder, tmp_path / "store")))


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Return a store with the small study that tests share and none may change."""
    store = Store(tmp_path_factory.mktemp("shared") / "it's a store", create=True)
    fill(store)
    return store
