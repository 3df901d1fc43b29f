"""Compile the kernels of the extraction when the package is built, also for an editable installation."""

from __future__ import annotations

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

        flags = ["-O3", "-ffp-contract=off"]
        extensions = [
            Extension(
                each.replace("/", "."),
                [f"{each}.pyx"],
                include_dirs=[".", "flows/extract/fast"],
                extra_compile_args=flags,
            )
            for each in KERNELS
        ]
        command = Distribution({"ext_modules": cythonize(extensions, quiet=True)}).get_command_obj("build_ext")
        command.inplace = True
        command.ensure_finalized()
        command.run()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["artifacts"] += [f"{each}.*.{suffix}" for each in KERNELS for suffix in ("so", "pyd")]
