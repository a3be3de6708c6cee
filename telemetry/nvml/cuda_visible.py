"""Which GPUs CUDA_VISIBLE_DEVICES shows, and in what order."""

from __future__ import annotations

from collections.abc import Sequence


def shown(setting: str | None, uuids: Sequence[Sequence[str]]) -> list[int] | None:
    """Places of the visible GPUs, in the order that CUDA gives them.

    Args:
        setting: the variable's value; None when it is not set.
        uuids: of each GPU, in the order of NVML (that of the PCI bus): its own, then its MIG instances'.

    Returns:
        None when the variable is not set: all are visible. CUDA stops at the first entry that names no GPU,
        and so does this.
    """
    if setting is None:
        return None
    places: list[int] = []
    for entry in setting.split(","):
        place = _place(entry.strip(), uuids)
        if place is None:
            break
        if place not in places:
            places.append(place)
    return places


def _place(entry: str, uuids: Sequence[Sequence[str]]) -> int | None:
    if entry.isdecimal() and entry.isascii():
        return int(entry) if len(entry) < 6 and int(entry) < len(uuids) else None
    # A UUID may be cut short as long as it names one GPU only.
    found = [place for place, own in enumerate(uuids) if any(uuid.startswith(entry) for uuid in own)]
    return found[0] if entry.startswith(("GPU-", "MIG-")) and len(found) == 1 else None
