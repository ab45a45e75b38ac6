"""Quality metrics, as docs and benchmarks quote them."""
