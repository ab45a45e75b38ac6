"""The tile server: archives in, maps out."""
