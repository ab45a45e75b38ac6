"""Pixels of an archive on any grid: reading, warping, band arithmetic."""
