"""``pd-exporter demo``: the loop from queue and GPUs to recorded series, on one machine.

`service` plays Dynamo on a real queue; `cluster` is what Kubernetes, engines and GPUs tell of it;
`programs` starts what is real; `seen` is what comes out at the other end; `shown` is for people.
"""
