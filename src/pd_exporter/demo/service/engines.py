"""What engines keep in the memory of their GPUs, in bytes."""

from pd_exporter.demo.plan import PROMPT_TOKENS

GPU_TOTAL = 80 << 30
GPU_RESERVED = 600 << 20

WEIGHTS = 14_200_000_000 * 2
"""Qwen1.5-14B: a parameter has 2 bytes."""
SEQUENCE = PROMPT_TOKENS * 40 * 5120 * 2 * 2
"""KV cache of a prompt: so many tokens, layers and values in each, as key and value of 2 bytes."""

POOL = GPU_TOTAL * 9 // 10
"""What an engine that allocates its pool at its start holds ever after, idle or not."""
CACHE = POOL - WEIGHTS
"""What an engine has for KV cache."""
MOST_SEQUENCES = CACHE // SEQUENCE
"""Sequences that an engine has room for."""
LOAD_SECONDS = 180.0
"""Time that an engine takes to load its weights."""


def gib(size: float) -> str:
    """Write bytes for people."""
    return f"{size / 2**30:.1f} GiB"


def decode_memory(sequences: int) -> int:
    """Give the memory of an engine that allocates as it goes, and gives back what it used."""
    return WEIGHTS + sequences * SEQUENCE


def loading_memory(seconds: float) -> int:
    """Give the memory of an engine that has been loading its weights for so long."""
    return round(WEIGHTS * min(1.0, seconds / LOAD_SECONDS))


def kv_cache_utilization(sequences: int) -> float:
    """Give the share of an engine's KV cache that so many sequences take."""
    return sequences * SEQUENCE / CACHE
