"""Files to take away: GeoTIFF extracts, KMZ, KML, archives."""
