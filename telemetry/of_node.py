"""Records of another machine's poller, so that they are told apart from ours and each other's."""

from __future__ import annotations

from collections.abc import Mapping

from telemetry.records import GpuDevices, GpuEvent, GpuSamples, HostSample, SourceNote, TelemetryRecord


def named_after(record: TelemetryRecord, source: str, node: str, host: str = "") -> None:
    """Puts `source` before the record's own, and `node` before what is good on its machine only, in place.

    Args:
        node: unique in a session.
        host: in place of what the machine calls itself, which two of them may; empty: that stays.
    """
    record.source = f"{source} {record.source}"
    if isinstance(record, SourceNote):
        record.message = f"{node}: {record.message}"
    elif isinstance(record, GpuDevices):
        for device in record.devices:
            device.gpu, device.parent = _key(device.gpu, node), _key(device.parent, node)
            device.host = host or device.host
    elif isinstance(record, GpuSamples):
        for sample in record.gpus:
            sample.gpu = _key(sample.gpu, node)
    elif isinstance(record, GpuEvent):
        record.gpu = _key(record.gpu, node)
    elif isinstance(record, HostSample):
        record.host = host or record.host


def with_role(record: TelemetryRecord, roles: Mapping[str, str]) -> None:
    """Puts onto GPUs what their machines do for the server, in place.

    Args:
        roles: by what a machine calls itself, or by what `named_after` was told to call its source.
    """
    if isinstance(record, GpuDevices):
        _, _, rest = record.source.partition(" ")
        of_source = roles.get(rest.partition(" ")[0], "")
        for device in record.devices:
            device.role = roles.get(device.host, of_source)


def _key(key: str, node: str) -> str:
    """A key without UUID is only good on its own machine."""
    return f"{node} {key}" if "#" in key else key
