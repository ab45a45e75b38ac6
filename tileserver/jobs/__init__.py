"""Work that takes longer than a request: a queue on disk, processes of its own, kinds of work."""
