"""``pd-exporter demo``: the loop from queue and GPUs to recorded series, on one machine."""
