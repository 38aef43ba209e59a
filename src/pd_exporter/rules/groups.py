"""All rules, in groups."""

from pd_exporter.rules import dynamo, engine, jetstream, kv, memory, workers
from pd_exporter.rules.rule import RuleGroup

GROUPS = (
    workers.RULES,
    RuleGroup(
        "pd_queue",
        "Prefill by its JetStream queues. One exporter replica's value counts only while it is"
        " fresh and the replica accepted the queue's reply (pd_queue_up == 1). Of several replicas"
        " the highest counts; pd_queue_up - Inf stands for one that does not know, and any real"
        " value is higher. Of several queues of a role the mark survives the sum, and > -Inf then"
        " drops it: a role with a queue that nobody could read has no value, because the sum of the"
        " others would look like idleness.",
        tuple(jetstream.LOAD.rules()),
    ),
    RuleGroup(
        "pd_dynamo",
        "Prefill by Dynamo's frontends and workers, without a NATS queue. Dynamo tells it from 1.2"
        " on; for 0.4 to 1.1 take the engines. A role named prefill is meant, and every request is"
        " taken to need it. The router's own queue is part of the stage route.",
        tuple(dynamo.LOAD.rules()),
    ),
    RuleGroup(
        "pd_engine",
        "Load and KV cache by the engines' own metrics: vLLM, SGLang, TensorRT-LLM. They have the"
        " labels namespace and pod, as PodMonitors give them, and pd_pod_info tells the role.",
        (*engine.LOAD.rules(), *kv.RULES),
    ),
    RuleGroup("pd_gpu", "Decode by its GPU memory.", memory.RULES),
)
"""As they are shipped; groups are evaluated beside each other, the rules of one in order."""
