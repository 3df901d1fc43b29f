"""``create_store`` at every place, and at places that are not there."""

import socket

import pytest
from builders.store import fill
from pyarrow.fs import FileSelector, FileSystem

from schemas.errors import ContractError, NotFoundError, UsageError
from store.address import StoreAddress, stored_address
from store.commits.commit import commit_to
from store.creation import create_store
from store.home import Store


def remote_files(url):
    """Return the files that lie below a data URL."""
    filesystem, path = FileSystem.from_uri(url)
    return filesystem.get_file_info(FileSelector(path, recursive=True, allow_not_found=True))


@pytest.fixture
def silent_port():
    """Return a port of this machine that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize("place", ["sqlite-local", "postgresql-s3"])
def test_a_new_store_is_there_to_write_to(place, request, tmp_path, new_address):
    """The folder opens, holds the address where there is one, and nothing of the trial is left."""
    address = new_address(place)
    made = create_store(tmp_path / "deep" / "store", address)
    root = tmp_path / "deep" / "store"
    assert made.commits == 0
    assert stored_address(root) == address
    assert (made.address_file is None) == (place == "sqlite-local")
    if address.data:
        assert remote_files(address.data) == []
        assert sorted(file.name for file in root.iterdir()) == ["store.toml"]
    store = Store(root)
    with commit_to(store, "first") as commit:
        commit.put("patients", [{"patient": "p1"}])
    store.engine.dispose()
    # Asked once more, and from another machine's folder, it is the same store.
    assert create_store(root, address).commits == 1
    if address.catalogue:
        assert create_store(tmp_path / "other", address).commits == 1


def test_a_catalogue_is_refused_where_its_files_are_not(request, tmp_path, new_address):
    """A second machine that names other data would read rows without their values."""
    address = new_address("postgresql-s3")
    create_store(tmp_path / "one", address)
    store = Store(tmp_path / "one")
    fill(store)
    store.engine.dispose()
    assert create_store(tmp_path / "two", address).commits == 3
    for data in (address.data.replace("?", "-elsewhere?"), None):
        with pytest.raises(ContractError, match="not among these data"):
            create_store(tmp_path / "three", StoreAddress(address.catalogue, data))
    assert not (tmp_path / "three").exists()


def test_a_missing_bucket_is_named(s3_server, tmp_path):
    """The bucket is tried before anything is written."""
    url = s3_server.replace("//radzoo", "//nobody/here")
    with pytest.raises(NotFoundError, match="s3://nobody/here: a small file could not be written") as caught:
        create_store(tmp_path / "store", StoreAddress(None, url))
    assert "make the bucket" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_answer_is_named(tmp_path, silent_port):
    """No folder is made for a catalogue that nobody serves; the message has no password."""
    url = f"postgresql://radzoo:secret@127.0.0.1:{silent_port}/radzoo"
    with pytest.raises(NotFoundError, match="does not answer") as caught:
        create_store(tmp_path / "store", StoreAddress(url, None))
    assert str(silent_port) in str(caught.value)
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_not_there_is_named(postgresql_server, tmp_path):
    """The server's own words say which database it lacks."""
    url = postgresql_server.rpartition("/")[0] + "/nowhere"
    with pytest.raises(NotFoundError, match='database "nowhere" does not exist') as caught:
        create_store(tmp_path / "store", StoreAddress(url, None))
    assert "make the database" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "address",
    [
        StoreAddress("mysql://radzoo@db/radzoo", None),
        StoreAddress("not a url", None),
        StoreAddress(None, "https://bucket/prefix"),
        StoreAddress(None, "/mnt/elsewhere"),
    ],
    ids=["mysql", "no url", "https", "folder"],
)
def test_a_url_of_another_kind_is_refused(address, tmp_path):
    """What is no catalogue or place for data that radzoo knows is a fault of usage."""
    with pytest.raises(UsageError):
        create_store(tmp_path / "store", address)
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_never_moved_to_another_address(filled, new_address, tmp_path):
    """A folder that holds a store keeps it, with all that lies in it."""
    before = sorted(file for file in filled.root.rglob("*") if "catalogue" not in file.name)
    with pytest.raises(UsageError, match="at another address"):
        create_store(filled.root, new_address("sqlite-s3"))
    assert sorted(file for file in filled.root.rglob("*") if "catalogue" not in file.name) == before
    assert create_store(filled.root, StoreAddress()).commits == 3


@pytest.mark.parametrize(
    "url", ["s3://AKIAKEY:S3CR3T@bucket/p?bogus=1", "s3://AKIAKEY:S3/CR3T@bucket/p?bogus=1", "gs://k:S3CR3T@bucket/p"]
)
def test_no_message_has_a_key_that_stands_in_a_url(tmp_path, url):
    """Whatever is wrong with it, and wherever a slash in the secret cuts it apart."""
    with pytest.raises(UsageError) as caught:
        create_store(tmp_path / "store", StoreAddress(None, url))
    assert "bucket/p" in str(caught.value)
    assert not any(word in str(caught.value) for word in ("AKIAKEY", "S3CR3T", "CR3T", "k:"))
