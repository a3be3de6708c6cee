"""What a GPU is called beside others: its label, and its name where nothing else says that it is one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from telemetry.records import GpuDevice


def labels(devices: Sequence[GpuDevice], beside: Iterable[GpuDevice] = ()) -> list[str]:
    """Of each `2`, `2 1g.10gb` of a MIG instance, and `node2:2` where they, or others that are known
    `beside` them, are of several hosts."""
    several_hosts = len({device.host for device in (*devices, *beside)}) > 1
    own = [f"{device.index} {device.mig}" if device.mig else str(device.index) for device in devices]
    if not several_hosts:
        return own
    return [f"{device.host}:{label}" for device, label in zip(devices, own, strict=True)]


def gpu_name(label: str) -> str:
    """`GPU2`; a label with its host says enough by itself."""
    return label if ":" in label else f"GPU{label}"
