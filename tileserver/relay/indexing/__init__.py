"""Archives of buckets found by the feed that was published there, instead of by listing."""
