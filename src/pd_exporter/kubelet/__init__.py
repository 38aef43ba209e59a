"""What a node tells: which container holds which device, and which process is of which pod."""
