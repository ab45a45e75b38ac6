"""WMTS 1.0.0 (OGC 07-057r7) over collections and scenes: documents and requests, without HTTP."""
