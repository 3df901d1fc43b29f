"""Networks that come as a file, TorchScript or ONNX: from regions to embeddings."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from schemas.errors import ContractError, UsageError
from schemas.study.own_sets import NetworkFileSettings
from zoo.networks.onnx_weights import refuse_outside_weights

if TYPE_CHECKING:
    import torch

__all__ = ["Embedder", "embedded", "loaded_network", "network_input", "network_libraries"]

Floats = NDArray[np.float32]
Embedder = Callable[[Floats], Floats]
"""From network inputs of shape (n, channels, size, size) to embeddings of shape (n, n_numbers)."""


def network_libraries(settings: NetworkFileSettings) -> dict[str, str]:
    """Return the versions of the libraries that decide what a network's file gives.

    Raises
    ------
    UsageError
        If the file is ONNX and ONNX Runtime is not installed.
    """
    if settings.format == "onnx":
        return {"onnxruntime": str(_onnxruntime().__version__)} | _resizing(settings)
    return {"torch": version("torch")}


def _resizing(settings: NetworkFileSettings) -> dict[str, str]:
    return {"torch": version("torch")} if settings.size is not None else {}


def loaded_network(content: bytes, settings: NetworkFileSettings) -> Embedder:
    """Return a network that was read from a file, on one thread of the CPU.

    Of ONNX files nothing is run but the operators of ONNX Runtime, which may loop and allocate without end.
    TorchScript is a program: who calls this has compared the content's hash with one that somebody wrote down. Both
    belong into a process with limits (`zoo.networks.process`).

    Parameters
    ----------
    content : bytes
        The file.
    settings : NetworkFileSettings
        What it is.

    Raises
    ------
    ContractError
        If the file cannot be read, or has no such output.
    UsageError
        If the file is ONNX and ONNX Runtime is not installed.
    """
    return _of_onnx(content, settings) if settings.format == "onnx" else _of_torchscript(content, settings)


def network_input(regions: NDArray[Any], settings: NetworkFileSettings) -> Floats:
    """Return regions as a network reads them: chosen channels, resized, normalised.

    Parameters
    ----------
    regions : ndarray of shape (n, slices, size, size)
        As stored.
    settings : NetworkFileSettings
        How the network wants them.

    Raises
    ------
    ContractError
        If mean or std have another length than there are channels.
    """
    pixels = np.asarray(regions, dtype=np.float32)
    if settings.channels == "middle":
        middle = pixels.shape[1] // 2
        pixels = np.repeat(pixels[:, middle : middle + 1], 3, axis=1)
    if settings.size is not None and settings.size != pixels.shape[2]:
        import torch
        from torch.nn import functional

        resized = functional.interpolate(
            torch.from_numpy(np.ascontiguousarray(pixels)), size=settings.size, mode="bilinear", antialias=True
        )
        pixels = resized.numpy()
    channels = pixels.shape[1]
    parts = []
    for name, given in (("mean", settings.mean), ("std", settings.std)):
        if len(given) not in (1, channels):
            raise ContractError(f"{name} has {len(given)} numbers, and the network's input {channels} channels")
        parts.append(np.asarray(given, dtype=np.float32)[None, :, None, None])
    return np.ascontiguousarray((pixels - parts[0]) / parts[1], dtype=np.float32)


def embedded(network: Embedder, regions: NDArray[Any], settings: NetworkFileSettings) -> list[Floats | str]:
    """Return each region's embedding, or why there is none.

    A fault of one region does not cost the others theirs: where a batch fails, each of it is tried by itself.

    Parameters
    ----------
    network : callable
        From `loaded_network`.
    regions : ndarray of shape (n, slices, size, size)
        As stored.
    settings : NetworkFileSettings
        How the network wants them.
    """
    found: list[Floats | str] = []
    for start in range(0, len(regions), settings.batch_size):
        batch = regions[start : start + settings.batch_size]
        try:
            found += _checked(network(network_input(batch, settings)))
        except Exception as error:
            if len(batch) > 1:
                alone = settings.model_copy(update={"batch_size": 1})
                found += embedded(network, batch, alone)
            else:
                found.append(_reason(error))
    return found


def _reason(error: Exception) -> str:
    if isinstance(error, ContractError):
        return error.message
    # Libraries write pages; the last line that says something is the fault.
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = "".join(each for each in (lines[-1] if lines else "") if each.isprintable())
    return f"{type(error).__name__}: {_ADDRESS.sub('an address', said)[:300]}"


_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")
"""Another in each process: a reason that holds one is never the same twice."""


def _checked(numbers: Floats) -> list[Floats | str]:
    return [each if np.isfinite(each).all() else "the embedding holds values that are no numbers" for each in numbers]


def _of_torchscript(content: bytes, settings: NetworkFileSettings) -> Embedder:
    import torch

    try:
        network = torch.jit.load(io.BytesIO(content), map_location="cpu")  # type: ignore[no-untyped-call]
    except Exception as error:  # a damaged archive ends in whatever its reader raises
        raise ContractError(f"the file is no TorchScript: {_reason(error)}", where=settings.file) from error
    network.eval()

    def numbers(images: Floats) -> Floats:
        threads = torch.get_num_threads()
        try:
            torch.set_num_threads(1)
            with torch.inference_mode():
                chosen = _chosen(network(torch.from_numpy(images)), settings)
        finally:
            torch.set_num_threads(threads)
        return _flat(chosen.float().numpy(), len(images))

    return numbers


def _chosen(output: Any, settings: NetworkFileSettings) -> torch.Tensor:
    """Return the tensor that is the embedding, of whatever a network gives."""
    import torch

    name = settings.output
    if isinstance(output, Mapping):
        if name is not None and name not in output:
            raise ContractError(f"the network has no output '{name}'; it has {', '.join(map(str, output))}")
        output = output[name] if name is not None else next(iter(output.values()))
    elif isinstance(output, tuple | list):
        if name is not None and not (name.isdigit() and int(name) < len(output)):
            raise ContractError(f"the network has no output '{name}'; it has the positions 0 to {len(output) - 1}")
        output = output[int(name or 0)]
    elif name is not None:
        raise ContractError(f"the network has one output without a name: leave output = '{name}' out")
    if not isinstance(output, torch.Tensor):
        raise ContractError(f"the network's output is a {type(output).__name__}, no tensor")
    return output


def _of_onnx(content: bytes, settings: NetworkFileSettings) -> Embedder:
    runtime = _onnxruntime()
    try:
        refuse_outside_weights(content)
    except ValueError as error:
        hint = "onnx.save_model(onnx.load(FILE), FILE, save_as_external_data=False) puts all weights into the file"
        raise ContractError(f"the file is no ONNX that can be used: {error}", where=settings.file, hint=hint) from error
    options = runtime.SessionOptions()
    # Its other format is recognised by four bytes, and was not looked at.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class
        raise ContractError(f"the file is no ONNX: {_reason(error)}", where=settings.file) from error
    names = [each.name for each in session.get_outputs()]
    if settings.output is not None and settings.output not in names:
        raise ContractError(
            f"the network has no output '{settings.output}'; it has {', '.join(names)}", where=settings.file
        )
    inputs = session.get_inputs()
    if len(inputs) != 1 or not names:
        raise ContractError(
            f"the network has {len(inputs)} inputs and {len(names)} outputs; one that reads images has one input",
            where=settings.file,
        )
    first = inputs[0]

    def numbers(images: Floats) -> Floats:
        (found,) = session.run([settings.output or names[0]], {first.name: images})
        return _flat(np.asarray(found, dtype=np.float32), len(images))

    return numbers


def _flat(output: NDArray[Any], images: int) -> Floats:
    if output.ndim < 2 or len(output) != images:
        raise ContractError(f"the network's output has shape {output.shape} for {images} regions")
    if output.ndim > 2:
        output = output.mean(axis=tuple(range(2, output.ndim)))
    return np.asarray(output, dtype=np.float32)


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError(
            "embeddings of an ONNX file need ONNX Runtime, which is not installed",
            hint="pip install 'radzoo[onnx]'",
        ) from error
    return onnxruntime
