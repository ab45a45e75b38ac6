"""All benchmarks, one after the other: python -m benchmarks."""

from __future__ import annotations

import runpy

NAMES = (
    "rate_distortion", "rate_distortion.products", "radar_rate", "codec_speed", "whole_scene", "site_means",
    "observations",
    "qualify", "tile_speed", "catalogue", "full_product", "ingest",
)  # fmt: skip
for name in NAMES:
    runpy.run_module(f"benchmarks.{name}", run_name="__main__")
