"""Build hook of hatchling: the compiled library for wheels, and in the working tree for editable installs.

COMEO_BUILD_NATIVE=1 in the environment makes a build fail that cannot compile, 0 leaves the library out.
By default a build without it says why, and the package works with onnxruntime and Numba. COMEO_BUILD_TARGET
names another machine to build for, as `aarch64-linux-gnu.2.17`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.native import LIBRARY, SOURCES, CompilerError, compile_library, find_compiler

_EXPLANATION = "comeo is installed without its compiled decoder, and decodes several times more slowly"


class NativeLibraryHook(BuildHookInterface[Any]):
    """Compiles before a wheel is made."""

    def dependencies(self) -> list[str]:
        """Ask for zig where nothing else compiles."""
        target = os.environ.get("COMEO_BUILD_TARGET")
        chosen = os.environ.get("CC") and target is None
        if self.target_name != "wheel" or _wanted() == "0" or chosen or _finds(target):
            return []
        return [self.config["zig"]]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; what is made belongs to this machine's kind, so the wheel does, too.

        Raises:
            CompilerError: If nothing can compile, and that is asked for.
        """
        if _wanted() == "0":
            return
        editable = version == "editable"
        self._folder = tempfile.TemporaryDirectory(prefix="comeo-native-")
        output = LIBRARY if editable else Path(self._folder.name, LIBRARY.name)
        target = os.environ.get("COMEO_BUILD_TARGET")
        try:
            compiler = find_compiler(target)
            compile_library(output, compiler)
        except CompilerError as error:
            if _wanted() == "1":
                raise
            self.app.display_warning(f"{error}\n{_EXPLANATION}")
            return
        self.app.display_info(f"the decoder is compiled by {compiler.name}")
        if not editable:
            build_data["force_include"][str(output)] = str(LIBRARY.relative_to(SOURCES.parents[2]))
            build_data["tag"] = f"py3-none-{compiler.wheel_platform}"
            build_data["pure_python"] = False

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Tidy up."""
        if folder := getattr(self, "_folder", None):
            folder.cleanup()


def _wanted() -> str:
    return os.environ.get("COMEO_BUILD_NATIVE", "")


def _finds(target: str | None) -> bool:
    try:
        find_compiler(target)
    except CompilerError:
        return False
    return True
