"""Loaded by a program of the project's own before anything else of the zoo: skops is loaded small, and now."""

from zoo.saving.skops_io import load_skops_small, skops_io

__all__: list[str] = []

load_skops_small()
skops_io()
