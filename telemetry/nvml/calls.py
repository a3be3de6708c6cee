"""Guarded calls for a GPU's values: what NVML's errors mean, and what is never asked again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from telemetry.source import plain

INVALID_ARGUMENT = 2
NOT_SUPPORTED = 3
NO_PERMISSION = 4
NOT_FOUND = 6
FUNCTION_NOT_FOUND = 13
ARGUMENT_VERSION_MISMATCH = 25
PERMANENT = (NOT_SUPPORTED, FUNCTION_NOT_FOUND, NO_PERMISSION, ARGUMENT_VERSION_MISMATCH)
"""Answers that will not change while this process lives."""

LOST = (15, 16)
"""GpuIsLost, ResetRequired."""

T = TypeVar("T")


def said(call: Callable[[], str]) -> str:
    """The text that `call` gives, safe to print: what is no UTF-8 becomes `?` (pynvml cannot decode it)."""
    try:
        return plain(call())
    except UnicodeDecodeError as err:
        return plain(err.object.decode(errors="replace"))


class GpuLost(Exception):
    """The GPU gives no values at all now; the text says why, safe to print.

    `forbidden`: it is there and may be well, but what we ask is refused.
    """

    def __init__(self, why: str, *, forbidden: bool = False) -> None:
        super().__init__(why)
        self.forbidden = forbidden


def gpu_lost(err: Any) -> GpuLost:
    """By the NVMLError that every call about the GPU ends in."""
    if err.value == NO_PERMISSION:
        return GpuLost("no permission (cgroup, container)", forbidden=True)
    return GpuLost(said(err.__str__), forbidden=err.value in PERMANENT)


class GuardedCalls:
    """Calls about one device, and which quantities they gave.

    `refused` maps what never works to NVML's code for it. `missing` maps a quantity that was given once, and
    is not any more, to NVML's words. `error` is of the last call that failed.
    """

    def __init__(self, nvml: Any) -> None:
        self.nvml = nvml
        self.refused: dict[str, int] = {}
        self.missing: dict[str, str] = {}
        self.error: Any = None
        self._gave: set[str] = set()

    def gave(self, quantity: str, answered: bool) -> None:
        """To be told at every asking; `quantity` in a person's words."""
        if answered:
            self._gave.add(quantity)
            self.missing.pop(quantity, None)
        elif quantity in self._gave:
            self.missing.setdefault(quantity, "" if self.error is None else said(self.error.__str__))

    def ask(self, name: str, call: Callable[[], T]) -> T | None:
        """What `call` gives; None when it does not work now, or, as `refused` then tells, ever.

        Raises:
            GpuLost: the GPU is lost or wants a reset.
        """
        if name in self.refused:
            return None
        try:
            return call()
        except self.nvml.NVMLError as err:
            # NVMLError has no hash, and comparing it with another type raises: only its value is safe.
            if err.value in LOST:
                raise gpu_lost(err) from err
            self.error = err
            if err.value in PERMANENT:
                self.refused[name] = err.value
            return None
