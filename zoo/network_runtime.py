"""Where networks compute, their weights as bytes, and what a fitted one says of patients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor

from schemas.errors import UsageError
from schemas.network_settings import NetworkSettings
from zoo.networks import PhaseNetwork

__all__ = ["autocast", "computing", "embeddings_of", "restored", "scores_of", "weights_of"]

Floats = NDArray[np.float32]


@contextmanager
def computing(settings: NetworkSettings) -> Iterator[torch.device]:
    """Give the device to compute on; what is set for that in the process is as before afterwards.

    Raises
    ------
    UsageError
        If CUDA is asked for and there is none.
    """
    there = torch.cuda.is_available()
    if settings.device == "cuda" and not there:
        raise UsageError("the study asks for a CUDA device, and there is none", hint='set device = "auto"')
    device = torch.device("cuda" if there and settings.device != "cpu" else "cpu")
    before = torch.get_num_threads()
    try:
        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield device
    finally:
        if settings.threads is not None:
            torch.set_num_threads(before)


def autocast(device: torch.device, settings: NetworkSettings) -> torch.autocast:
    """Return the context in which a network runs forward: bfloat16 on a CUDA device that has it, else as it is."""
    mixed = settings.mixed_precision and device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=mixed)


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
    """
    with torch.device("meta"):
        network = build()
    network.load_state_dict(safetensors.torch.load(weights), assign=True)
    prepared: PhaseNetwork = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return prepared.eval()


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
            with autocast(device, settings):
                batch = answer(slice(start, start + settings.batch_size), device)
            found.append(batch.float().cpu().numpy())
        network.to(home)
    return np.concatenate(found)
