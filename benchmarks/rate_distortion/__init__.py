"""Rate-distortion of single blocks: our codecs against peers, payload bytes only."""
