"""Libraries are loaded without the garbage collector, which is on again behind them whatever happened."""

from __future__ import annotations

import gc
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from store.loading import without_collector


def test_the_collector_is_on_again():
    """Behind the block, behind one within it, and behind an error."""
    with without_collector():
        with without_collector():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), without_collector():
        raise ImportError
    assert gc.isenabled()


def test_blocks_of_several_threads_overlap():
    """It is on again when the last one has ended, in whatever order they do."""
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def load(_: int) -> None:
        for _ in range(2_000):
            with without_collector():
                assert not gc.isenabled()

    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(load, range(8)))
    finally:
        sys.setswitchinterval(switching)
    assert gc.isenabled()


def test_who_has_turned_it_off_keeps_it_off():
    """Only what was on is turned on."""
    gc.disable()
    try:
        with without_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
