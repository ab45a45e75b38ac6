"""Names of the ways to bring pixels onto another grid."""

from __future__ import annotations

from typing import Literal, get_args

ResamplingName = Literal["nearest", "bilinear", "cubic", "cubic_spline", "lanczos", "average", "mode"]
RESAMPLINGS: tuple[ResamplingName, ...] = get_args(ResamplingName)
