"""Which GPUs the load under test runs on, as far as was known at an instant."""

from __future__ import annotations

from sessions.timeline.gpus import GpuColumns, place


def metered(gpus: dict[str, GpuColumns], at_ns: int) -> list[GpuColumns]:
    """The GPUs that the load under test runs on, as far as was known at an instant.

    Those on which a process of the server computes; where nobody can tell, all that are visible and are not
    known to serve nothing. A MIG instance counts as what it is.
    """
    known = [gpu for gpu in gpus.values() if gpu.since_ns <= at_ns]
    known.sort(key=lambda gpu: place(gpu.device(at_ns)))
    devices = [gpu.device(at_ns) for gpu in known]
    if any(device.serves_target for device in devices):
        return [gpu for gpu, device in zip(known, devices, strict=True) if device.serves_target]
    parents = {device.parent for device in devices if device.parent}
    return [
        gpu
        for gpu, device in zip(known, devices, strict=True)
        if device.serves_target is None and device.visible is not False and device.gpu not in parents
    ]


def powered(gpus: dict[str, GpuColumns], at_ns: int) -> list[GpuColumns]:
    """The GPUs whose meters count for those of `metered`: for MIG instances the whole GPU, once."""
    keys = (gpu.device(at_ns).parent or gpu.device(at_ns).gpu for gpu in metered(gpus, at_ns))
    return [gpus[key] for key in dict.fromkeys(keys) if key in gpus]


def powered_names(gpus: dict[str, GpuColumns], at_ns: int) -> list[str]:
    """What the driver calls those of `powered`."""
    return [gpu.device(at_ns).name for gpu in powered(gpus, at_ns)]
