"""Compile the kernels of the extraction when the package is built, also for an editable installation."""

from __future__ import annotations

import os
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

KERNELS = (
    *(f"flows/extract/fast/{name}" for name in ("kernels", "eigenvalues", "hulls", "pair_sums")),
    "flows/imaging/intensities/lines",
)


class CompiledKernels(BuildHookInterface):  # type: ignore[type-arg]
    """The build hook of `pyproject.toml`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile beside the source, and say that the wheel is for this machine."""
        from Cython.Build import cythonize
        from setuptools import Distribution, Extension

        # Nobody debugs them at run time, and what a debugger would read takes a quarter of the compiler's time.
        flags = ["-O3", "-ffp-contract=off", "-g0"]
        extensions = [
            Extension(
                each.replace("/", "."),
                [f"{each}.pyx"],
                include_dirs=[".", "flows/extract/fast"],
                extra_compile_args=flags,
            )
            for each in KERNELS
        ]
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        modules = cythonize(extensions, quiet=True, nthreads=cores)
        command = Distribution({"ext_modules": modules}).get_command_obj("build_ext")
        command.inplace = True
        command.parallel = cores
        command.ensure_finalized()
        command.run()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["artifacts"] += [f"{each}.*.{suffix}" for each in KERNELS for suffix in ("so", "pyd")]
