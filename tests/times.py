"""A zero hour for tests that count in seconds."""

from datetime import UTC, datetime

T0 = 1_800_000_000.0
"""Unix time, long after the server's zero time."""


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(T0 + seconds, UTC)
