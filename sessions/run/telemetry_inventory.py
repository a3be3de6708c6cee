"""What telemetry found and tried, for the manifest: each source's last word, and which GPUs there are."""

from __future__ import annotations

from typing import Any

import msgspec

from sessions.store.manifest import SOURCES_CAP
from telemetry.records import GpuDevices, SourceNote, TelemetryRecord

GPUS_CAP = 256


class TelemetryInventory:
    """Takes records in one thread, is read in another: what is read was complete at some instant."""

    def __init__(self) -> None:
        self._words: dict[str, SourceNote] = {}
        self._devices: dict[str, GpuDevices] = {}
        self._news = 0
        self._told = 0

    def take(self, record: TelemetryRecord) -> None:
        if isinstance(record, SourceNote):
            self._words = {**self._words, record.source: record}
        elif isinstance(record, GpuDevices):
            self._devices = {**self._devices, record.source: record}
        else:
            return
        self._news += 1

    @property
    def changed(self) -> bool:
        """There is something that `table` has not been asked about yet."""
        return self._news != self._told

    def table(self) -> dict[str, Any]:
        """`sources` (`source`, `ok`, `message`) and `gpus` (what is known of `GpuDevice`, and `driver`)."""
        self._told = self._news
        words = sorted(self._words.values(), key=lambda word: word.source)
        gpus = [
            {
                "source": said.source,
                **({"driver": said.driver} if said.driver else {}),
                **msgspec.to_builtins(device),
            }
            for _, said in sorted(self._devices.items())
            for device in said.devices
        ]
        return {
            "sources": [
                {"source": word.source, "ok": word.ok, "message": word.message}
                for word in words[:SOURCES_CAP]
            ],
            "gpus": gpus[:GPUS_CAP],
        }
