"""The run for people: a live view, lines, and a summary."""
