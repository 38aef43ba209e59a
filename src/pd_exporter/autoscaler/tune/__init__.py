"""``pd-exporter tune``: which setting meets a goal at the least replica-hours."""
