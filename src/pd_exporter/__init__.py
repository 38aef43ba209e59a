"""Autoscaling signals for Prefill/Decode-disaggregated LLM inference."""

__version__ = "0.1.0"
