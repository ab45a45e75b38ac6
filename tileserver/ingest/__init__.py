"""The compression service: products of a source become archives, each once, whatever ends meanwhile."""
