"""STAC API: landing page, collections, items and search."""
