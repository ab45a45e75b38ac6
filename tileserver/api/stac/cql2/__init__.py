"""CQL2, text and JSON (OGC 21-065r2), and the STAC API's `query`: clients' words as `catalog.filters`."""
