"""``pd-exporter demo``: the loop from queue to recorded series, on one machine."""
