"""Relays: over bad lines, what their order is worth, what a site costs a year, and what waiting costs."""
