"""The arithmetic of KEDA's nats-jetstream trigger on a lag."""

import math

from pd_exporter.policy import TUTORIAL_LAG_THRESHOLD, TUTORIAL_MAX_REPLICAS


def trigger_text(lag: float) -> str:
    """Say what a nats-jetstream trigger asks for: the lag by its threshold, rounded up, capped."""
    wanted = max(1, math.ceil(lag / TUTORIAL_LAG_THRESHOLD))
    text = f"ceil({lag:g} / {TUTORIAL_LAG_THRESHOLD}) = {math.ceil(lag / TUTORIAL_LAG_THRESHOLD)}"
    if wanted > TUTORIAL_MAX_REPLICAS:
        return f"{text}, capped to {TUTORIAL_MAX_REPLICAS} replicas"
    return f"{text}, so {wanted} replica{'s' if wanted > 1 else ''}"
