"""How a geoservice comes to be: checked, tried on the past, put into the store."""
