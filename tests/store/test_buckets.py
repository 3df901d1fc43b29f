"""A bucket whose server goes away: it is waited for where it has answered before, and its refusals are sentences."""

from __future__ import annotations

import re
import uuid

import pytest
from attacks.faults.gate import Gate

from schemas.errors import NotFoundError
from store.files import DataFolder


@pytest.fixture
def gated(s3_server, tmp_path):
    """Give the data of a store whose bucket is reached through a gate, and the gate."""
    port = int(re.search(r"endpoint_override=[\d.]+(?:%3A|:)(\d+)", s3_server)[1])
    base, _, options = s3_server.partition("?")
    with Gate.before(port) as gate:
        url = f"{base}/t{uuid.uuid4().hex}?{options.replace(str(port), str(gate.port))}"
        yield DataFolder(tmp_path / "copies", url), gate


def put(data: DataFolder, name: str, content: bytes) -> None:
    """Write a file."""
    written = data.scratch()
    written.write_bytes(content)
    data.adopt(written, name)


@pytest.mark.parametrize("state", ["shut", "busy"])
def test_a_server_that_comes_back_is_waited_for(gated, state):
    """A file is written and read whole though the server was gone, or asked for fewer requests, when it was asked."""
    data, gate = gated
    put(data, "first", b"1")
    gate.set(state)
    gate.set_after("open", 3.0)
    put(data, "second", b"2" * 100_000)
    data.forget_copy("second")
    assert data.local("second").read_bytes() == b"2" * 100_000
    assert sorted(data.paths()) == ["first", "second"]


def test_a_server_that_stays_away_is_told_in_a_sentence(gated, monkeypatch):
    """After the time that the setting gives, the error names the place without its options, and leaves no half file."""
    data, gate = gated
    put(data, "first", b"1")
    data.forget_copy("first")
    monkeypatch.setenv("RADZOO_SERVER_SECONDS", "1")
    gate.set("shut")
    with pytest.raises(NotFoundError, match="the S3 server does not answer: no connection") as caught:
        data.local("first")
    assert caught.value.where == str(data)
    assert "endpoint" not in str(caught.value)
    assert [file for file in data.local_root.rglob("*") if file.is_file()] == []


def test_a_bucket_that_is_not_there_is_not_waited_for(gated):
    """A wrong name stays wrong."""
    data, gate = gated
    absent = DataFolder(data.local_root, data.url.replace("//radzoo/", f"//b{uuid.uuid4().hex}/"))
    before = gate.accepted
    with pytest.raises(NotFoundError, match="the S3 server has no such bucket"):
        put(absent, "first", b"1")
    assert gate.accepted <= before + 1
