"""Indicators: formulas of bands, and the documents (POF) that they are written down in."""
