"""NVML: which GPUs there are, how full they are, and which processes fill them."""
