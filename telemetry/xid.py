"""What NVIDIA's XID codes mean, those that a person running a load meets."""

from __future__ import annotations

from telemetry.records import GpuEvent

XIDS = {
    13: "graphics engine exception, mostly a fault of the program",
    31: "memory page fault, mostly a fault of the program",
    43: "the GPU stopped processing for a program",
    45: "work torn down after an earlier error, or a program that was killed",
    48: "uncorrectable memory error",
    61: "internal microcontroller halted",
    62: "internal microcontroller halted",
    63: "memory row remapped",
    64: "memory row could not be remapped",
    74: "NVLink error",
    79: "the GPU has fallen off the bus",
    92: "many corrected memory errors",
    94: "uncorrectable memory error, contained to one program",
    95: "uncorrectable memory error, not contained: the GPU needs a reset",
    119: "the GPU's system processor does not answer",
    120: "error of the GPU's system processor",
    140: "unrecovered memory error",
    149: "NVLink error",
}
"""The commoner ones of NVIDIA's list of XIDs."""


def xid_event(t_ns: int, source: str, gpu: str, label: str, code: int) -> GpuEvent:
    """The XID `code` of the GPU whose key is `gpu`, which a person knows as `label`."""
    words = XIDS.get(code)
    text = f"{label}: XID {code}{f' ({words})' if words else ''}"
    return GpuEvent(t_ns, source, gpu, "xid", code=code, text=text)
