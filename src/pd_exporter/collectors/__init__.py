"""One collector a file; each knows its own source and nothing of the others."""
