"""Quality: what an archive lost, in figures that docs, benchmarks and reports share."""
