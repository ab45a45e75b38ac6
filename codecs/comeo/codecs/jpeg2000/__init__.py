"""The `jpeg2000` codec, wavelets and EBCOT by OpenJPEG: see `codec`."""
