"""The service that is played: its queue, its Prefill workers and its Decode engines."""
