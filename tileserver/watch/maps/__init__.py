"""Maps of months, kept as archives in the catalogue."""
