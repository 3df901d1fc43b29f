"""Where networks compute, their weights as bytes, and what a fitted one says of patients."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor
from torch.overrides import TorchFunctionMode

from schemas.errors import ContractError, RadzooError, UsageError
from schemas.study.networks import NetworkSettings
from zoo.networks.architecture import PhaseNetwork

__all__ = ["autocast", "computing", "decided_by", "embeddings_of", "restored", "scores_of", "weights_of"]

Floats = NDArray[np.float32]

_ALONE = threading.RLock()
"""Generator, threads and switches of PyTorch are the process's: two networks at once would set each other's."""


@cache
def _alone_on_cuda() -> FileLock:
    # There are as many workers as cores, but one device: with a batch of each in its memory it would not hold them.
    # Not when the module is loaded: a process without the right to write has no temporary folder.
    return FileLock(Path(tempfile.gettempdir()) / f"radzoo-cuda-{os.getuid()}.lock")


@contextmanager
def computing(settings: NetworkSettings) -> Iterator[torch.device]:
    """Give the device to compute on; what is set for that in the process is as before afterwards.

    One network computes at a time: of a process, and on CUDA of the machine. Others wait.

    Raises
    ------
    UsageError
        If CUDA is asked for and there is none.
    RadzooError
        If the device's memory does not hold a batch.
    """
    device = _device(settings)
    with _ALONE:
        before = torch.get_num_threads()
        try:
            if settings.threads is not None:
                torch.set_num_threads(settings.threads)
            with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
                if device.type == "cuda":
                    with _on_cuda(settings):
                        yield device
                else:
                    yield device
        finally:
            if settings.threads is not None:
                torch.set_num_threads(before)


def _device(settings: NetworkSettings) -> torch.device:
    there = torch.cuda.is_available()
    if settings.device == "cuda" and not there:
        raise UsageError("the study asks for a CUDA device, and there is none", hint='set device = "auto"')
    return torch.device("cuda" if there and settings.device != "cpu" else "cpu")


@contextmanager
def _on_cuda(settings: NetworkSettings) -> Iterator[None]:
    # Read when cuBLAS is loaded: without it its sums may differ from run to run.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    multiply = torch.backends.cuda.matmul
    was_fast, was_deterministic = multiply.allow_tf32, torch.are_deterministic_algorithms_enabled()
    warned_only = torch.is_deterministic_algorithms_warn_only_enabled()
    with _alone_on_cuda():
        try:
            multiply.allow_tf32 = False
            torch.use_deterministic_algorithms(True, warn_only=True)
            yield
        except torch.OutOfMemoryError as error:
            raise RadzooError(
                f"the CUDA device's memory does not hold a batch of {settings.batch_size} patients",
                hint='a smaller batch_size in the model\'s network, or device = "cpu"',
            ) from error
        finally:
            multiply.allow_tf32 = was_fast
            torch.use_deterministic_algorithms(was_deterministic, warn_only=warned_only)
            torch.cuda.empty_cache()


def autocast(device: torch.device, settings: NetworkSettings) -> torch.autocast:
    """Return the context in which a trunk is trained: bfloat16 on a CUDA device that has it, else as it is.

    Transforms of images, the last layer, the loss and everything that a trained network is asked stay in 32 bits:
    sampling positions would be off by up to a pixel, and log odds would have three digits.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=_is_mixed(device, settings))


def _is_mixed(device: torch.device, settings: NetworkSettings) -> bool:
    if not settings.mixed_precision or device.type != "cuda":
        return False
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def decided_by(settings: NetworkSettings) -> dict[str, object]:
    """Return what of this machine decides a network's bits, beside data, settings and seed."""
    device = _device(settings)
    found: dict[str, object] = {"torch": torch.__version__, "device": device.type}
    if device.type == "cuda":
        versions = {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}  # type: ignore[no-untyped-call]
        return found | versions | {"name": torch.cuda.get_device_name(), "mixed": _is_mixed(device, settings)}
    return found | {"threads": settings.threads or torch.get_num_threads()}


def weights_of(network: PhaseNetwork) -> bytes:
    """Return a network's weights and running statistics as a safetensors file; equal weights give equal bytes."""
    return bytes(
        safetensors.torch.save(
            {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
        )
    )


def restored(build: Callable[[], PhaseNetwork], weights: bytes) -> PhaseNetwork:
    """Return a network with saved weights, ready to be asked: on the CPU, channels last, in evaluation mode.

    Parameters
    ----------
    build : callable
        Makes the network; no first weights are drawn.
    weights : bytes
        A safetensors file, as `weights_of` makes it.

    Raises
    ------
    ContractError
        If the file holds other tensors than the network has, or a weight that is no number.
    """
    with torch.device("meta"), _NothingDrawn():
        network = build()
    network.load_state_dict(_checked_weights(network, weights), assign=True)
    if lost := [name for name, tensor in network.named_buffers() if tensor.is_meta]:
        raise ContractError(
            f"the network has numbers that are not among its weights: '{lost[0][:80]}'",
            hint="its package must register them as persistent buffers",
        )
    prepared: PhaseNetwork = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return prepared.eval()


class _NothingDrawn(TorchFunctionMode):
    """Leave first weights undrawn where they have no memory anyway: PyTorch loads its compiler for drawing them."""

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _DRAWS and args[0].is_meta:
            return args[0]
        return func(*args, **(kwargs or {}))


_DRAWS = (Tensor.normal_, Tensor.uniform_)


def _checked_weights(network: PhaseNetwork, weights: bytes) -> dict[str, Tensor]:
    hint = "train the model again, or restore its folder from a backup"
    try:
        tensors: dict[str, Tensor] = safetensors.torch.load(weights)
    except Exception as error:  # its own errors and those of Python's JSON have no common class
        reason = " ".join(str(error).split())[:200]
        raise ContractError(f"the network's weights cannot be read: {reason}", hint=hint) from error
    expected = {name: (tensor.shape, tensor.dtype) for name, tensor in network.state_dict().items()}
    if {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()} != expected:
        raise ContractError("the network's weights are those of another network", hint=hint)
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise ContractError(f"the network's weights hold NaN or infinity, in '{name}'", hint=hint)
        if name.endswith("running_var") and bool((tensor < 0).any()):
            raise ContractError(f"the network's weights hold a negative variance, in '{name}'", hint=hint)
    return tensors


def scores_of(
    network: PhaseNetwork, images: Floats, settings: NetworkSettings, tabular: Floats | None = None
) -> NDArray[np.float64]:
    """Return the scores of both labels of some patients, before any softmax, of shape (n_patients, 2)."""

    def scores(rows: slice, device: torch.device) -> Tensor:
        beside = None if tabular is None else torch.from_numpy(tabular[rows]).to(device)
        answer: Tensor = network(torch.from_numpy(images[rows]).to(device), beside)
        return answer

    return _in_batches(network, scores, len(images), settings).astype(np.float64)


def embeddings_of(network: PhaseNetwork, images: Floats, settings: NetworkSettings) -> Floats:
    """Return the trunk's features of some patients, of shape (n_patients, n_phases, n_features)."""

    def embeddings(rows: slice, device: torch.device) -> Tensor:
        return network.embed(torch.from_numpy(images[rows]).to(device))

    return _in_batches(network, embeddings, len(images), settings)


def _in_batches(
    network: PhaseNetwork, answer: Callable[[slice, torch.device], Tensor], patients: int, settings: NetworkSettings
) -> Floats:
    home = next(network.parameters()).device
    with computing(settings) as device, torch.inference_mode():
        network.to(device)
        found = []
        for start in range(0, patients, settings.batch_size):
            batch = answer(slice(start, start + settings.batch_size), device)
            found.append(batch.float().cpu().numpy())
        network.to(home)
    return np.concatenate(found)
