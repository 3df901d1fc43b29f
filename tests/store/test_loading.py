"""Libraries are loaded without the garbage collector, which is on again behind them whatever happened."""

from __future__ import annotations

import gc

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


def test_who_has_turned_it_off_keeps_it_off():
    """Only what was on is turned on."""
    gc.disable()
    try:
        with without_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
