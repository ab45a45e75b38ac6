"""Modules of 0.1 whose names are functions of `comeo` now: found as `comeo.<name>` when they are imported."""
