"""The arithmetic of KEDA's nats-jetstream trigger on a lag."""

import math

from pd_exporter.demo.plan import LAG_THRESHOLD, MAX_REPLICAS


def trigger_text(lag: float) -> str:
    """Say what a nats-jetstream trigger asks for: the lag by its threshold, rounded up, capped."""
    wanted = max(1, math.ceil(lag / LAG_THRESHOLD))
    text = f"ceil({lag:g} / {LAG_THRESHOLD}) = {math.ceil(lag / LAG_THRESHOLD)}"
    if wanted > MAX_REPLICAS:
        return f"{text}, capped to {MAX_REPLICAS} replicas"
    return f"{text}, so {wanted} replica{'s' if wanted > 1 else ''}"
