"""Which GPUs CUDA_VISIBLE_DEVICES shows, and in what order, as far as that can be known from outside CUDA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

PCI_BUS_ID = "PCI_BUS_ID"
"""The value of CUDA_DEVICE_ORDER with which CUDA counts as NVML does. Otherwise (FASTEST_FIRST) it counts by
a guess of each GPU's speed that no other program can ask for; among like GPUs that is the bus's order."""

Device = tuple[int, int | None]
"""The place of a GPU, and of its MIG instance; None is the whole GPU."""


class GpuNames(NamedTuple):
    """What a setting may call one GPU by."""

    uuid: str
    """Empty where the driver does not tell it."""
    model: str
    instances: tuple[tuple[str, ...], ...]
    """Of each MIG instance: its UUID, and `MIG-GPU-UUID/GPU instance/compute instance` of older drivers."""


class Shown(NamedTuple):
    """What a setting shows."""

    devices: list[Device]
    """Those that it names for certain, in CUDA's order."""
    certain: bool
    """They are all. If not, numbers stand for GPUs that cannot be told."""
    all_visible: bool = False
    """Not certain, but there are as many numbers as GPUs: only the order is not known."""

    def mark(self, place: int, part: int | None) -> tuple[bool | None, int | None]:
        """`visible` and `cuda_index` of a GPU, or of its MIG instance `part`; None is not known.

        A GPU of which an instance is named is visible, in that one's place. Of a GPU that is named as a
        whole, CUDA shows one instance, and does not say which.
        """
        named = [i for i, (at, of) in enumerate(self.devices) if at == place and part in (None, of)]
        if not self.certain:
            return (True if named or self.all_visible else None), None
        if not named and part is not None and (place, None) in self.devices:
            return None, self.devices.index((place, None))
        return bool(named), named[0] if named else None

    def words(self, gpus: int) -> str:
        """For a person; empty when all of so many GPUs are shown."""
        if not self.certain:
            what = "in what order" if self.all_visible else "which GPUs"
            return (
                f"{what} CUDA_VISIBLE_DEVICES shows is not known: CUDA counts unlike GPUs by speed unless "
                f"CUDA_DEVICE_ORDER={PCI_BUS_ID}"
            )
        whole = sum(part is None for _, part in self.devices)
        parts = len(self.devices) - whole
        said = [f"{whole} of them"] if whole or not parts else []
        said += [f"{parts} MIG instance{'s' if parts > 1 else ''}"] if parts else []
        return "" if whole == gpus else f"CUDA_VISIBLE_DEVICES shows {' and '.join(said)}"


def shown(setting: str | None, gpus: Sequence[GpuNames], order: str | None) -> Shown | None:
    """What CUDA makes of a setting of CUDA_VISIBLE_DEVICES; None when it is not set: all are visible.

    CUDA stops at the first entry that names no GPU, and so does this.

    Args:
        gpus: in the order of NVML, that of the PCI bus.
        order: the value of CUDA_DEVICE_ORDER; None when it is not set.
    """
    if setting is None:
        return None
    models = {gpu.model for gpu in gpus}
    numbers_known = order == PCI_BUS_ID or len(gpus) < 2 or (len(models) == 1 and "" not in models)
    devices: list[Device] = []
    unknown: set[int] = set()
    for entry in (entry.strip() for entry in setting.split(",")):
        if entry.isdecimal() and entry.isascii():
            if len(entry) > 5 or int(entry) >= len(gpus):
                break
            if not numbers_known:
                unknown.add(int(entry))
                continue
            found: list[Device] = [(int(entry), None)]
        else:
            found = _named(entry, gpus)
        if len(found) != 1:
            break
        if found[0] not in devices:
            devices.append(found[0])
    return Shown(devices, not unknown, len(unknown) == len(gpus) > 0)


def _named(entry: str, gpus: Sequence[GpuNames]) -> list[Device]:
    """All that a UUID or a beginning of one may mean."""
    if entry.startswith("GPU-"):
        return [(place, None) for place, gpu in enumerate(gpus) if gpu.uuid.startswith(entry)]
    if entry.startswith("MIG-"):
        return [
            (place, part)
            for place, gpu in enumerate(gpus)
            for part, names in enumerate(gpu.instances)
            if any(name.startswith(entry) for name in names)
        ]
    return []
