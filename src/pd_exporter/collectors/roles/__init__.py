"""Roles as Kubernetes has them: their pods, how many instances are wanted, and what scales them."""

from pd_exporter.collectors.roles.cluster import open_roles

__all__ = ["open_roles"]
