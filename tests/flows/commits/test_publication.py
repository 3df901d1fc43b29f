"""A commit that landed where publishing fails: the error says that it is there."""

from pathlib import Path

import pytest

from flows.cli.usage import refuse_urls
from flows.commits.publication import publish_landed
from schemas.errors import ContractError, UsageError
from store.commits.commit import commit_to
from store.history.snapshot import newest_commit
from store.home import Store


def test_a_commit_that_cannot_be_published_says_that_it_landed(tmp_path):
    """The commit is named with the reason and the next command; the exit code is not that of a fault of radzoo."""
    store = Store(tmp_path / "store", create=True)
    with commit_to(store, "a patient") as commit:
        commit.put("patients", [{"patient": "p1"}])
    (store.analyst_file / "something").mkdir(parents=True)
    with pytest.raises(ContractError, match=r"commit 1 landed; analyst\.duckdb could not be published: ") as refused:
        publish_landed(store)
    assert refused.value.hint.endswith("radzoo store publish")
    assert refused.value.exit_code == 4
    assert newest_commit(store) == 1


@pytest.mark.parametrize("path", ["s3://bucket/x", "https://host/x", "file:///tmp/x", "postgresql://user@host/db"])
def test_a_url_is_no_path_of_this_machine(path):
    """Given as a path it is refused, for it would become a folder called ``s3:``."""
    with pytest.raises(UsageError, match="not a URL"):
        refuse_urls([3, [Path(path)]])
    refuse_urls([Path("/data/s3:/x"), Path("c:x"), path, None])
