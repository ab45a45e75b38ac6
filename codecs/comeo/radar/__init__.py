"""Radar geometry and radiometry, without input or output: from images in slant range to maps."""
