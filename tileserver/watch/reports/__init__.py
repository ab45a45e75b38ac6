"""What the geoservices of a relay tell the origin above it: kilobytes a day instead of pictures."""
