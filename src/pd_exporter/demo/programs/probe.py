"""Tells this machine's GPUs: a program of its own, since a call of the driver may never come back.

It prints, as JSON, the uuids of what a pod can hold and whose memory can be read: GPUs, and MIG GPU
instances where MIG is on.
"""

import asyncio
import json
import sys

from pd_exporter.log import LogFormat, configure_logging
from pd_exporter.nvml.gpus import open_gpus

ANSWER_SECONDS = 8.0
"""Longest wait for GPUs that were idle, which take the driver seconds to wake."""


async def _uuids() -> list[str]:
    deadline = asyncio.get_running_loop().time() + ANSWER_SECONDS
    async with open_gpus(on_fatal=lambda _why: None) as gpus:
        reading = await gpus.read((), deadline)
    units = [unit for device in reading.devices for unit in device.units]
    return [unit.unit.uuid for unit in units if unit.memory is not None]


if __name__ == "__main__":
    configure_logging("error", LogFormat.JSON)
    sys.stdout.write(json.dumps(asyncio.run(_uuids())))
