"""Recording rules and alerts, built from the catalogue, the laws and the shipped parameters."""
