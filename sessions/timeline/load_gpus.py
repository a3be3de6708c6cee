"""Which GPUs the load under test runs on, as far as was known at an instant."""

from __future__ import annotations

from sessions.timeline.gpus import GpuColumns, place
from telemetry.records import GpuDevice


def metered(gpus: dict[str, GpuColumns], at_ns: int) -> list[GpuColumns]:
    """The GPUs that the load under test runs on, as far as was known at an instant.

    Those on which a process of the server computes, and those of machines of which a person told the role;
    where nobody can tell, all that are visible and are not known to serve nothing. A MIG instance counts as
    what it is.
    """
    known = [gpu for gpu in gpus.values() if gpu.since_ns <= at_ns]
    known.sort(key=lambda gpu: place(gpu.device(at_ns)))
    devices = [gpu.device(at_ns) for gpu in known]
    parents = {device.parent for device in devices if device.parent}
    told = any(device.serves_target or device.role for device in devices)

    def counts(device: GpuDevice) -> bool:
        if device.serves_target is not None:
            return device.serves_target
        may = device.visible is not False and device.gpu not in parents
        return may and (bool(device.role) or not told)

    return [gpu for gpu, device in zip(known, devices, strict=True) if counts(device)]


def powered(gpus: dict[str, GpuColumns], at_ns: int) -> list[GpuColumns]:
    """The GPUs whose meters count for those of `metered`: for MIG instances the whole GPU, once."""
    keys = (gpu.device(at_ns).parent or gpu.device(at_ns).gpu for gpu in metered(gpus, at_ns))
    return [gpus[key] for key in dict.fromkeys(keys) if key in gpus]


def powered_names(gpus: dict[str, GpuColumns], at_ns: int) -> list[str]:
    """What the driver calls those of `powered`."""
    return [gpu.device(at_ns).name for gpu in powered(gpus, at_ns)]
