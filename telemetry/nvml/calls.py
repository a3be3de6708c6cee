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
        return plain(err.object.decode(errors="replace").replace("\ufffd", "?"))


class GpuLost(Exception):
    """The GPU gives no values at all now; the text is NVML's."""


class GuardedCalls:
    """Calls about one device. `refused` maps what never works to NVML's code for it."""

    def __init__(self, nvml: Any) -> None:
        self.nvml = nvml
        self.refused: dict[str, int] = {}

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
                raise GpuLost(said(err.__str__)) from err
            if err.value in PERMANENT:
                self.refused[name] = err.value
            return None
