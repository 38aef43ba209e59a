"""Alerts: what somebody has to know of, each with a heading in docs/runbook.md."""
