"""Geoservices: what is followed, and links by which people act on it without signing in."""
