"""A network of somebody's own at work in a child process: a TorchScript file is a program, an ONNX file nearly one."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from schemas.errors import ContractError
from schemas.study.own_sets import NetworkFileSettings
from store.limits.process import LimitedProcess, LimitedProcessError, Limits
from zoo.networks.external import Embedder, embedded, loaded_network

__all__ = ["NetworkProcess", "network_process"]

Floats = NDArray[np.float32]
_MOST_DEATHS = 3
_HINT = "look at the network; where it is only large, raise 'seconds' or 'memory_gb' in its table of the study file"


class NetworkProcess:
    """A network in a child process, which reads and writes no file but Python's libraries; a context manager.

    Parameters
    ----------
    content : bytes
        The network's file.
    settings : NetworkFileSettings
        What it is, and what a batch may take: ``seconds``, ``memory_gb``.
    process : LimitedProcess, optional
        From `network_process`, where many networks are tried; one of its own where absent.
    """

    def __init__(self, content: bytes, settings: NetworkFileSettings, process: LimitedProcess | None = None) -> None:
        self._content, self._settings = content, settings
        self._process = network_process(settings) if process is None else process
        self._is_own = process is None
        self._is_loaded = False
        self._has_answered = False
        self._deaths = 0
        self._at_once = settings.batch_size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._is_own:
            self._process.close()

    def embeddings(self, regions: NDArray[Any]) -> list[Floats | str]:
        """Return each region's embedding, or why there is none.

        Parameters
        ----------
        regions : ndarray of shape (n, slices, size, size)
            As stored.

        Raises
        ------
        ContractError
            If the network cannot be read, or ends its process or exceeds its limits with the very first region or
            with several.
        """
        found: list[Floats | str] = []
        if not self._has_answered and len(regions):
            # Alone, so that a network that never ends is known by one region and not by a batch.
            self._asked(regions[:1])
            self._has_answered = True
        while len(found) < len(regions):
            batch = regions[len(found) : len(found) + self._at_once]
            try:
                found += self._asked(batch)
            except _UnansweredError as error:
                if len(batch) > 1:
                    # Too much at once, or one of them: from here on one by one.
                    self._at_once = 1
                else:
                    found.append(error.reason)
        return found

    def _asked(self, regions: NDArray[Any]) -> list[Floats | str]:
        try:
            if not self._is_loaded:
                self._process.call(load_network, self._content, self._settings)
                self._is_loaded = True
            return self._process.call(embed_regions, np.ascontiguousarray(regions), self._settings)
        except LimitedProcessError as error:
            was_loaded, self._is_loaded = self._is_loaded, False
            self._deaths += 1
            if not (was_loaded and self._has_answered) or self._deaths > _MOST_DEATHS:
                what = "applied" if was_loaded else "read"
                raise ContractError(
                    f"the network cannot be {what}: {error}", where=self._settings.file, hint=_HINT
                ) from error
            raise _UnansweredError(f"the network has no answer: {error}") from error


def network_process(settings: NetworkFileSettings) -> LimitedProcess:
    """Return a process for a network of these settings; it reads nothing but Python's libraries and writes nothing."""
    limits = Limits(settings.seconds, int(settings.memory_gb * (1 << 30)), readable=())
    library = "onnxruntime" if settings.format == "onnx" else "torch"
    needed = (library, "torch") if settings.size is not None else (library,)
    return LimitedProcess(limits, modules=(__name__, *needed))


class _UnansweredError(Exception):
    """A batch had no answer within its limits."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


_LOADED: list[Embedder] = []
"""In the child, the network that it works with."""


def load_network(content: bytes, settings: NetworkFileSettings) -> None:
    """Read a network, in the child, for the calls that follow."""
    _LOADED[:] = [loaded_network(content, settings)]


def embed_regions(regions: NDArray[Any], settings: NetworkFileSettings) -> list[Floats | str]:
    """Return the embeddings of some regions, in the child."""
    (network,) = _LOADED
    return embedded(network, regions, settings.model_copy(update={"batch_size": max(1, len(regions))}))
