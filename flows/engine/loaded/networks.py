"""The libraries of networks, loaded where they can be; what cannot be loaded, the worker that needs it says.

Imported by the process that workers are forked from. No module of these starts threads or looks for a GPU while it is
loaded, which a fork could not use.
"""

from __future__ import annotations

from contextlib import suppress

from store.loading import without_collector

__all__: list[str] = []

with suppress(Exception), without_collector():
    import zoo.attention.patient
    import zoo.networks.classifier
    import zoo.networks.training  # noqa: F401
