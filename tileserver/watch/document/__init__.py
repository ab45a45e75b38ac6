"""What a geoservice is: its document, what its owner writes, its periods, the states of its alerts."""
