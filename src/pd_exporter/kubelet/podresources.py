"""Asks the kubelet over its PodResources API which container holds which device.

The API: `k8s.io/kubelet/pkg/apis/podresources/v1/api.proto`. It tells pods by namespace and name,
without uid and labels. List is served since Kubernetes 1.20; before 1.34 it also lists pods that
have ended.
"""

from asyncio import BaseTransport
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from grpclib.client import Channel, Handler, UnaryUnaryMethod
from grpclib.const import Status
from grpclib.encoding.base import CodecBase
from grpclib.exceptions import GRPCError, StreamTerminatedError
from grpclib.protocol import EventsProcessor, H2Protocol
from h2.events import DataReceived

from pd_exporter.kubelet.allocation import Allocation
from pd_exporter.kubelet.failure import PodResourcesFailure, Reason
from pd_exporter.kubelet.protobuf import DecodeError, collect, text

MAX_BYTES = 16 * 1024 * 1024
"""More than this is not taken from the kubelet in one answer. 250 pods are about 50 kB."""
MAX_ALLOCATIONS = 100_000
"""An answer that tells of more is refused: in few bytes it could claim much memory."""
TIMEOUT_SECONDS = 5.0

_LIST = "/v1.PodResourcesLister/List"
_PREFIX_BYTES = 5  # before a gRPC message: whether it is compressed, and in four bytes its length
_SETTINGS = b"\x04"  # type of the first frame that an HTTP/2 server sends: its fourth byte
_TEXT_SHOWN = 200  # characters of a message of the kubelet's
_REASON_OF_STATUS = {
    Status.DEADLINE_EXCEEDED: Reason.TIMEOUT,
    Status.RESOURCE_EXHAUSTED: Reason.RATE_LIMITED,
    Status.UNAVAILABLE: Reason.UNAVAILABLE,
    Status.UNIMPLEMENTED: Reason.UNIMPLEMENTED,
}


async def list_allocations(
    socket: Path, seconds: float = TIMEOUT_SECONDS
) -> tuple[Allocation, ...]:
    """Ask for all devices that the node's containers hold.

    Connects anew each time (0.1 ms), because a kubelet that was restarted has another socket.

    Args:
        socket: Path of the kubelet's unix socket.
        seconds: How long it may take.

    Raises:
        PodResourcesFailure: There is no answer to be trusted, for whatever reason.
    """
    try:
        return decode(await _list(socket, seconds))
    except TimeoutError as error:
        message = f"{socket}: no answer after {seconds:g} s."
        raise PodResourcesFailure(Reason.TIMEOUT, message) from error
    except OSError as error:
        raise _not_connected(socket, error) from error
    except GRPCError as error:
        reason = _REASON_OF_STATUS.get(error.status, Reason.SERVER_ERROR)
        words = " ".join((error.message or "").split())[:_TEXT_SHOWN]
        message = f"{socket}: the answer is the error {error.status.name}: {words or 'no message'}."
        raise PodResourcesFailure(reason, message) from error
    except StreamTerminatedError as error:
        raise _terminated(socket, str(error)) from error
    except DecodeError as error:
        message = f"{socket}: the answer cannot be read: {error}."
        raise PodResourcesFailure(Reason.INVALID_REPLY, message) from error
    except Exception as error:
        # grpclib meets a peer's faults (a compressed or cut-off message, no :status) with
        # whatever its code happens to raise, assertions included.
        message = f"{socket}: the answer is no gRPC: {type(error).__name__}: {error}."
        raise PodResourcesFailure(Reason.INVALID_REPLY, message) from error


def decode(answer: bytes) -> tuple[Allocation, ...]:
    """Read the devices out of a ListPodResourcesResponse, in its order.

    A dynamic resource (DRA) without driver and device is skipped: older kubelets, where DRA is off
    by default, tell only names of CDI devices.

    Raises:
        DecodeError: It is malformed, tells of too many devices, or of one without saying whose.
    """
    found: list[Allocation] = []
    (pods,) = collect(memoryview(answer), 1)
    for pod in pods:
        pod_names, namespaces, containers = collect(pod, 1, 2, 3)
        for container in containers:
            names, plugin_devices, claims = collect(container, 1, 2, 5)
            holder = text(namespaces), text(pod_names), text(names)
            for device in chain(_plugin_devices(plugin_devices), _claimed_devices(claims)):
                if not all((*holder, *device)):
                    raise DecodeError("a device, its resource or its container has no name")
                if len(found) == MAX_ALLOCATIONS:
                    raise DecodeError(f"it tells of more than {MAX_ALLOCATIONS} devices")
                found.append(Allocation(*holder, *device))
    return tuple(found)


def _plugin_devices(messages: Iterable[memoryview]) -> Iterator[tuple[str, str]]:
    """Resource and id of each device in ContainerDevices messages."""
    for message in messages:
        resources, ids = collect(message, 1, 2)
        resource = text(resources)
        for device_id in ids:
            yield resource, text([device_id])


def _claimed_devices(messages: Iterable[memoryview]) -> Iterator[tuple[str, str]]:
    """Driver and name of each device in DynamicResource messages."""
    for message in messages:
        (claimed,) = collect(message, 4)
        for resource in claimed:
            driver, device = map(text, collect(resource, 2, 4))
            if driver or device:
                yield driver, device


async def _list(socket: Path, seconds: float) -> bytes:
    """Call List; raises whatever grpclib raises."""
    channel = _Channel(path=str(socket), codec=_BytesCodec())
    method = UnaryUnaryMethod(channel, _LIST, bytes, bytes)
    # The deadline is grpclib's own and also sent along. It cancels the task it runs in when time is
    # over or the connection lost, which asyncio.timeout around it could take for its caller's.
    async with channel, method.open(timeout=seconds) as call:
        await call.send_message(b"", end=True)
        answer = await call.recv_message()
        # grpclib by itself asks for the answer's status only if the connection is still open.
        await call.recv_trailing_metadata()
    if answer is None:
        raise DecodeError("it is no message at all")
    return answer


class _BytesCodec(CodecBase):
    """Leaves messages as they are."""

    __content_subtype__ = "proto"

    def encode(self, message: bytes, _message_type: object) -> bytes:
        return message

    def decode(self, data: bytes, _message_type: object) -> bytes:
        return data


class _Processor(EventsProcessor):
    """Refuses an answer by the length that it claims, before any of it is kept.

    grpclib itself has no limit. What is sent beyond that length waits for HTTP/2's window of 4 MiB.
    """

    handler: Handler
    _prefix = b""

    def process_data_received(self, event: DataReceived) -> None:
        if len(self._prefix) < _PREFIX_BYTES:
            self._prefix = (self._prefix + event.data)[:_PREFIX_BYTES]
            if int.from_bytes(self._prefix[1:], "big") > MAX_BYTES:
                self.close(Reason.TOO_LARGE)
                return
        super().process_data_received(event)

    def close(self, reason: str = "Connection closed") -> None:
        if not self.handler.connection_lost:  # else it is closed, and its first reason is the one
            super().close(reason)


class _Protocol(H2Protocol):
    """A connection for one answer."""

    _start = b""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.processor = _Processor(self.handler, self.connection)

    def data_received(self, data: bytes) -> None:
        self._start = (self._start + data[:4])[:4]
        if self._start[3:] not in {b"", _SETTINGS}:
            self.processor.close(Reason.NOT_GRPC)
            return
        try:
            super().data_received(data)
        except Exception:  # noqa: BLE001  frames that grpclib does not know; asyncio would log it
            self.processor.close("Protocol error")  # as grpclib does after frames that are wrong


class _Channel(Channel):
    def _protocol_factory(self) -> H2Protocol:  # not public, but there is no other way to a limit
        return _Protocol(Handler(), self._config, self._h2_config)


def _not_connected(socket: Path, error: OSError) -> PodResourcesFailure:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return PodResourcesFailure(Reason.SOCKET_MISSING, f"{socket}: there is no such socket.")
    if isinstance(error, PermissionError):
        return PodResourcesFailure(Reason.PERMISSION_DENIED, f"{socket}: permission denied.")
    # Linux refuses a connection to anything that is not a socket, too.
    if isinstance(error, ConnectionRefusedError) and not socket.is_socket():
        return PodResourcesFailure(Reason.NOT_A_SOCKET, f"{socket}: this is no socket.")
    if isinstance(error, ConnectionRefusedError):
        return PodResourcesFailure(Reason.DISCONNECTED, f"{socket}: nothing listens on it.")
    return PodResourcesFailure(Reason.DISCONNECTED, f"{socket}: {error.strerror or error}.")


def _terminated(socket: Path, why: str) -> PodResourcesFailure:
    """Tell why the connection ended; `why` is what it was closed with by grpclib or _Protocol."""
    if why == Reason.TOO_LARGE:
        message = f"{socket}: the answer is larger than {MAX_BYTES} bytes."
        return PodResourcesFailure(Reason.TOO_LARGE, message)
    if why == Reason.NOT_GRPC:
        return PodResourcesFailure(Reason.NOT_GRPC, f"{socket}: what listens speaks no HTTP/2.")
    return PodResourcesFailure(Reason.DISCONNECTED, f"{socket}: {why}.")
