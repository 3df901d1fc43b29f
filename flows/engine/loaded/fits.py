"""The libraries of fits, loaded by the process that workers are forked from: what every worker needs and none changes.

Not PyTorch, which networks alone need (`flows.engine.loaded.networks`).
"""

from __future__ import annotations

from store.loading import without_collector

__all__: list[str] = []

with without_collector():
    import zoo.benchmark.fold_fits
    import zoo.models.training  # noqa: F401
