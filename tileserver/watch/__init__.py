"""Geoservices: places that are followed, alerts when they leave their nominal values, and what is told of it.

The work to be done is a query, never a queue: see `worker`.
"""
