"""Sentinel-1 ground-range products (GRD): their files, metadata and pixels, and scenes made of them."""
