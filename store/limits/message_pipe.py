"""Pickled messages over a pipe, with arrays as they lie in memory; what comes back makes only trusted classes."""

from __future__ import annotations

import io
import os
import pickle
import struct
from collections.abc import Callable
from typing import Any

__all__ = ["LongMessageError", "UntrustedError", "received", "send", "unpickled"]

_HEAD = struct.Struct("<QI")
_SIZE = struct.Struct("<Q")

_TRUSTED_MODULES = ("numpy", "schemas", "datetime", "pathlib", "decimal", "uuid", "collections", "store")
_NUMPY_MAKERS = {
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy.core.numeric", "_frombuffer"),
}
_BUILTINS = {"complex", "set", "frozenset", "bytearray", "range", "slice"}


class LongMessageError(Exception):
    """A message is longer than it may be."""


class UntrustedError(Exception):
    """A message names a class that is not trusted; the text is the class's name."""


def send(pipe: int, message: Any) -> None:
    """Write one message to a pipe.

    Raises
    ------
    BrokenPipeError
        When nobody reads it any more.
    """
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    head = _HEAD.pack(len(body), len(views)) + b"".join(_SIZE.pack(view.nbytes) for view in views)
    for part in (memoryview(head + body), *views):
        while part:
            part = part[os.write(pipe, part) :]


def received(read: Callable[[memoryview], None], longest: int | None = None) -> tuple[bytearray, list[bytearray]]:
    """Return a message's pickle and its buffers.

    Parameters
    ----------
    read : callable
        Fills a memoryview from the pipe, or raises.
    longest : int, optional
        The most bytes that are taken.

    Raises
    ------
    LongMessageError
        When the message has more.
    """
    size, count = _HEAD.unpack(_read(read, _HEAD.size))
    if longest is not None and count * _SIZE.size > longest:
        raise LongMessageError
    sizes = [each for (each,) in _SIZE.iter_unpack(_read(read, count * _SIZE.size))]
    if longest is not None and size + sum(sizes) > longest:
        raise LongMessageError
    return _read(read, size), [_read(read, each) for each in sizes]


def unpickled(body: bytearray, buffers: list[bytearray], trusted: tuple[str, ...] = ()) -> Any:
    """Return a message; a class that neither the program nor ``trusted`` (modules) vouches for is not made.

    Raises
    ------
    UntrustedError
        When the message names another class.
    """
    return _TrustedUnpickler(io.BytesIO(body), buffers, trusted).load()


def _read(read: Callable[[memoryview], None], size: int) -> bytearray:
    taken = bytearray(size)
    if size:
        read(memoryview(taken))
    return taken


class _TrustedUnpickler(pickle.Unpickler):
    def __init__(self, body: io.BytesIO, buffers: list[bytearray], trusted: tuple[str, ...]) -> None:
        super().__init__(body, buffers=buffers)
        self._trusted = (*_TRUSTED_MODULES, *trusted)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _NUMPY_MAKERS:
            return super().find_class(module, name)
        if module == "builtins":
            if name in _BUILTINS or _is_exception(found := super().find_class(module, name)):
                return super().find_class(module, name)
        elif self._vouches_for(module):
            found = super().find_class(module, name)
            # A module's own classes, not what it imports: a callable from elsewhere would be called.
            if isinstance(found, type) and self._vouches_for(found.__module__):
                return found
        raise UntrustedError(f"{module}.{name}")

    def _vouches_for(self, module: str) -> bool:
        return any(module == each or module.startswith(f"{each}.") for each in self._trusted)


def _is_exception(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, Exception)
