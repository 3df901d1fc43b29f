"""Trunks of networks that other packages add."""

from __future__ import annotations

from torch import nn

from schemas.errors import ContractError, RadzooError
from schemas.shown_text import shown_text
from zoo.plugins import NETWORKS, plugin_entries

__all__ = ["package_trunk"]


def package_trunk(name: str, channels: int) -> nn.Module:
    """Return the trunk of a network that an installed package adds.

    Parameters
    ----------
    name : str
        The network's.
    channels : int
        Of the regions that it reads.

    Raises
    ------
    ContractError
        If no package adds it, or what it builds is no trunk.
    """
    entry = plugin_entries().get(name)
    if entry is None or entry.group != NETWORKS:
        raise ContractError(
            f"no installed package adds a network '{shown_text(name, 80)}'",
            hint="install the package that model.json names",
        )
    builder = entry.builder()
    try:
        trunk = builder(channels)
    except RadzooError:
        raise
    except Exception as error:  # whatever its code does
        raise entry.unfit(f"its builder fails: {type(error).__name__}: {shown_text(str(error), 200)}") from error
    if not isinstance(trunk, nn.Module):
        raise entry.unfit(f"it builds a {type(trunk).__name__}, which is no module of PyTorch")
    features = getattr(trunk, "n_features", None)
    if not isinstance(features, int) or features < 1:
        raise entry.unfit("the trunk does not say by n_features how many features it gives")
    return trunk
