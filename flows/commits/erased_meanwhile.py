"""Work during which a patient may be erased: what it leaves of that patient goes when it ends, however it ends."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TypeVar

from flows.engine.progress import say
from schemas.errors import LostConnectionError, StoreBusyError
from store.erasure.erase import repeat_erasures
from store.history.basis import Basis, basis_of
from store.home import Store

__all__ = ["carry_out"]

T = TypeVar("T")

_ATTEMPTS = 3


def carry_out(store: Store, work: Callable[[Basis], T], *, only_reads: bool = False) -> T:
    """Carry out work on a store and return what it returns.

    A commit of the work takes erased patients out of what it brings, given the basis. What the work leaves beside its
    commits, such as staged results and pages, is looked through here. Where the work failed because files that it was
    reading went with the patient, it is carried out again: whatever else it failed for, it then fails for again. It is
    carried out again, too, where the connection to the catalogue was lost in a transaction, which undid it.

    Parameters
    ----------
    store : Store
        The store.
    work : callable
        Takes the basis of its commits: it reads nothing of the store before it is called.
    only_reads : bool
        The work commits nothing and writes what it read elsewhere: it is carried out again after an erasure.
    """
    for attempt in count(1):
        basis = basis_of(store)
        is_last = attempt == _ATTEMPTS
        try:
            found = work(basis)
        except LostConnectionError as error:
            if is_last:
                raise
            # What was being written is undone; the next look at the catalogue waits for its server.
            say(f"{error.message}; starting again, what was finished is taken over")
            _looked_through(store, basis)
            continue
        except Exception:
            if not _looked_through(store, basis) or is_last:
                raise
        except BaseException:
            _looked_through(store, basis)
            raise
        else:
            number = _looked_through(store, basis)
            if not number:
                return found
            if not only_reads or is_last:
                who = "1 patient was" if number == 1 else f"{number} patients were"
                say(f"{who} erased meanwhile: left out of what was written; models trained on one are marked")
                return found
        say("a patient was erased meanwhile: starting again without")
    raise AssertionError


def _looked_through(store: Store, basis: Basis) -> int:
    """Remove what is left of patients who were erased since, and return how many erasures there were."""
    try:
        return repeat_erasures(store, basis)
    except StoreBusyError as error:
        say(f"an erasure is unfinished: {error.message}; radzoo store erase PATIENT, once more, finishes it")
        return 1
