"""The `dct` codec: see `codec`."""
