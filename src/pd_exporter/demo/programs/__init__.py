"""The real programs that the demo starts, and what the machine has."""
