"""From a request to a picture or values: what to read, compute and show, and how to encode it."""
