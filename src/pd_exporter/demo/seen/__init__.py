"""What exporter and Prometheus told over the run, held against what was the case."""
