"""XID and uncorrectable ECC errors, waited for in a thread of its own: a mark at the time they happen."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from queue import SimpleQueue
from typing import Any

from telemetry.nvml.calls import NOT_FOUND, said
from telemetry.records import GpuEvent
from telemetry.source import NowNs
from telemetry.xid import xid_event

WAIT_MS = 250
AFTER_ERROR_S = 5.0
TIMEOUT = 10
ECC = 0x2
XID = 0x8


class EventWatch:
    """Collects `GpuEvent`s from `start` on; events before it are not reported by the driver.

    Args:
        gpus: UUID -> (key, words for a person) of those to be watched.
    """

    def __init__(self, nvml: Any, source: str, gpus: Mapping[str, tuple[str, str]], now_ns: NowNs) -> None:
        self._nvml = nvml
        self._source = source
        self._gpus = gpus
        self._now_ns = now_ns
        self._found: SimpleQueue[GpuEvent] = SimpleQueue()
        self._stopping = threading.Event()
        self._set: Any = None

    def start(self, handles: list[Any]) -> str:
        """Returns why nothing can be watched; empty when something is."""
        nvml = self._nvml
        refused = ""
        watched = 0
        try:
            self._set = nvml.nvmlEventSetCreate()
            for handle in handles:
                try:
                    wanted = nvml.nvmlDeviceGetSupportedEventTypes(handle) & (XID | ECC)
                    nvml.nvmlDeviceRegisterEvents(handle, wanted, self._set)
                    watched += 1
                except nvml.NVMLError as err:
                    refused = said(err.__str__)
            # The library stays loaded for as long as this thread may be in it.
            nvml.nvmlInit()
        except nvml.NVMLError as err:
            return said(err.__str__)
        if not watched:
            self._end()
            return refused or "no GPU"
        threading.Thread(target=self._watch, name="telemetry nvml events", daemon=True).start()
        return ""

    def take(self) -> list[GpuEvent]:
        """What has happened since the last call."""
        return [self._found.get_nowait() for _ in range(self._found.qsize())]

    def stop(self) -> None:
        """Ends the thread, without waiting for it."""
        self._stopping.set()

    def _watch(self) -> None:
        nvml = self._nvml
        while not self._stopping.is_set():
            try:
                data = nvml.nvmlEventSetWait_v2(self._set, WAIT_MS)
            except nvml.NVMLError as err:
                if err.value not in (TIMEOUT, NOT_FOUND):
                    self._stopping.wait(AFTER_ERROR_S)
                continue
            self._found.put(self._event(data))
        self._end()

    def _end(self) -> None:
        for call in (lambda: self._nvml.nvmlEventSetFree(self._set), self._nvml.nvmlShutdown):
            try:
                call()
            except self._nvml.NVMLError:
                pass

    def _event(self, data: Any) -> GpuEvent:
        t_ns = self._now_ns()
        try:
            key, label = self._gpus.get(
                said(lambda: self._nvml.nvmlDeviceGetUUID(data.device)), ("", "a GPU")
            )
        except self._nvml.NVMLError:
            key, label = "", "a GPU"
        if data.eventType == XID:
            # NVIDIA's list ends in the hundreds.
            return xid_event(t_ns, self._source, key, label, int(data.eventData) & 0xFFFFFFFF)
        return GpuEvent(
            t_ns, self._source, key, "ecc_uncorrected", count=1, text=f"{label}: uncorrectable memory error"
        )
