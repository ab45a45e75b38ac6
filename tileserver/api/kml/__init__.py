"""KML with regions, for Google Earth."""
