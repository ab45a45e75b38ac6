"""All benchmarks, one after the other: python -m benchmarks."""

from __future__ import annotations

import runpy

for name in ("rate_distortion", "whole_scene", "qualify", "tile_speed", "catalogue"):
    runpy.run_module(f"benchmarks.{name}", run_name="__main__")
