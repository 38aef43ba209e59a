"""The Kubernetes API: objects listed once and watched from then on."""
