"""A gate before a server: what goes through it can be refused, as where nobody listens, or stall, as on a cut line."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

__all__ = ["Gate"]

State = Literal["open", "shut", "stalled", "busy"]
_SLOW_DOWN = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\n\r\n"
    b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)


class Gate:
    """Passes connections on to a port of this machine while it is open.

    Shut, nobody listens and all connections are reset: what a stopped server looks like to its clients, without the
    loss of what an S3 server of the tests holds in memory. Stalled, bytes are taken and go nowhere. Busy, each
    connection is answered as S3 does that has too much to do.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = self._listening(0)
        self.port = int(self._listener.getsockname()[1])
        self._state: State = "open"
        self._pairs: list[socket.socket] = []
        self._lock = threading.Lock()
        self._flows = threading.Event()
        self._flows.set()
        self.accepted = 0

    @classmethod
    @contextmanager
    def before(cls, target: int) -> Iterator[Gate]:
        """Give an open gate before a port; it is gone at the end of the block."""
        gate = cls(target)
        gate._serve()
        try:
            yield gate
        finally:
            gate.set("shut")

    def set(self, state: State) -> None:
        """Open it, shut it, let it stall, or answer that the server is busy."""
        with self._lock:
            was, self._state = self._state, state
        (self._flows.clear if state == "stalled" else self._flows.set)()
        if state in ("shut", "busy"):
            if state == "shut":
                _close(self._listener)
            self._reset()
        if was == "shut" and state != "shut":
            self._listener = self._listening(self.port)
            self._serve()

    def set_after(self, state: State, seconds: float) -> None:
        """Do so after some time."""
        threading.Timer(seconds, self.set, (state,)).start()

    @staticmethod
    def _listening(port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
        return listener

    def _serve(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self._state == "busy":
                threading.Thread(target=self._refuse, args=(client,), daemon=True).start()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            with self._lock:
                self._pairs += [client, server]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _refuse(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            client.settimeout(5)
            client.recv(65536)
            client.sendall(_SLOW_DOWN)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                sink.sendall(data)
        with self._lock:
            is_known = source in self._pairs
            self._pairs = [each for each in self._pairs if each not in (source, sink)]
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            if not is_known:
                # The other direction has ended too, or the gate was shut.
                each.close()

    def _reset(self) -> None:
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for each in pairs:
            with suppress(OSError):
                # No more is sent: the other end is told that the connection is gone, not that it ended.
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            _close(each)


def _close(line: socket.socket) -> None:
    # Closing alone would not wake the thread that waits at it.
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
    line.close()
