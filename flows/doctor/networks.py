"""PyTorch, and what networks would compute on; run as a process, for drivers may crash it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

from flows.doctor.finding import Finding, carefully
from flows.doctor.probe import write_begun, write_findings

__all__ = ["network_findings"]

_NEEDED_FOR = "networks: train, embed, predict"
_HAS_CARD = "/proc/driver/nvidia/version"


def network_findings() -> Iterator[Finding]:
    """Look whether networks can be loaded, and on which device they would be trained."""
    try:
        import torch
    except ModuleNotFoundError:
        return  # that it is not installed stands among the libraries
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        step = "pip install --force-reinstall torch"
        yield Finding("missing", "torch", f"cannot be loaded: {first}", _NEEDED_FOR, step)
        return
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
        yield Finding("ok", "device of networks", f"cuda: {name} (device = auto)", _NEEDED_FOR)
    elif Path(_HAS_CARD).exists():
        yield Finding(
            "warning",
            "device of networks",
            f"cpu (device = auto): there is an NVIDIA card, which torch {torch.__version__} cannot use",
            _NEEDED_FOR,
            "pip install torch with CUDA, from https://pytorch.org/get-started/locally",
        )
    else:
        found = f"cpu, {torch.get_num_threads()} threads (device = auto): there is no GPU"
        yield Finding("ok", "device of networks", found, _NEEDED_FOR)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    write_begun("torch")
    write_findings(carefully("torch", _NEEDED_FOR, network_findings))
