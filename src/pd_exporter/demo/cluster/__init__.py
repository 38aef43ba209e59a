"""What a cluster tells of the service: its pods, who scales them, their metrics, their GPUs."""
