"""``pd-exporter adapters``: scaling adapters that no HPA can scale, and their cure."""
