"""What an origin says of its archives: numbered lines, each signed, in a folder of files."""
