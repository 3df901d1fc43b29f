"""Opening to read while others who may write come and go: their log appears and goes with them."""

import threading

from schemas.errors import StoreBusyError
from store import open_store
from store.history.snapshot import Snapshot
from store.home import Store

OPENINGS = 60


def test_readers_open_whoever_leaves(filled):
    """The last writer takes the log along: a reader who opens just then reads the file without it."""
    filled.close()
    done = threading.Event()

    def come_and_go():
        while not done.is_set():
            store = Store(filled.root)
            Snapshot(store).rows("patients")
            store.close()

    writer = threading.Thread(target=come_and_go)
    writer.start()
    answers = []
    try:
        for _ in range(OPENINGS):
            try:
                with open_store(filled.root) as reader:
                    answers.append(reader.sql("select count(*) as n from patients").arrow().to_pylist())
            except StoreBusyError as busy:
                assert busy.hint == "run the command again"  # noqa: PT017  (seldom, and right)
    finally:
        done.set()
        writer.join()
    assert answers
    assert all(answer == [{"n": 3}] for answer in answers)
