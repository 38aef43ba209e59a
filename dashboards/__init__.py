"""The Grafana dashboards, built from the catalogue, the recorded series and the policy."""
