"""Indicators: formulas of bands, the documents (POF) that they are written down in, and what they make of a scene."""
