"""A catalogue of thousands of scenes: how long it takes to start, to search, and in how much memory."""
