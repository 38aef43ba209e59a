"""What this machine has: the packages that read GPUs, and GPUs."""

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec

PROBE_SECONDS = 15.0
"""When no answer of NVML is waited for any longer."""

_END_SECONDS = 1.0
_PACKAGES = ("grpclib", "pynvml")


def can_read_gpus() -> bool:
    """Whether the packages that the exporter reads GPUs with are installed."""
    return all(find_spec(package) for package in _PACKAGES)


async def find_gpus(seconds: float = PROBE_SECONDS) -> Sequence[str]:
    """Give the uuids of the GPUs and MIG GPU instances that can be read; none where NVML fails."""
    probe = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pd_exporter.demo.programs.probe"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(seconds):
            said, _ = await probe.communicate()
    except TimeoutError:
        return ()
    finally:
        if probe.returncode is None:
            with suppress(ProcessLookupError):
                probe.kill()
            # In a call of the driver it need not end even so.
            await asyncio.wait((asyncio.create_task(probe.wait()),), timeout=_END_SECONDS)
    return [str(uuid) for uuid in json.loads(said)] if probe.returncode == 0 else ()
