"""What a person is told of a page that is there, each thing once: lines, slowness, what went from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from telemetry.prometheus.exposition import Page
from telemetry.records import (
    GpuDevice,
    GpuDevices,
    GpuSample,
    GpuSamples,
    ServerSample,
    SourceNote,
    TelemetryRecord,
)
from telemetry.source import NowNs

SLOW_NS = 1_000_000_000
"""A page that takes longer than its tick is told: its samples are fewer."""
Thing = tuple[str, str]
"""A GPU or a kind of server, and one quantity of it; empty is the whole."""
WATCHED = {
    "util_pct": "utilization",
    "memory_used_bytes": "memory",
    "power_w": "power",
    "temperature_c": "temperature",
    "energy_j": "energy",
    "running": "running requests",
    "waiting": "waiting requests",
    "kv_pct": "KV cache",
    "output_tokens": "output tokens",
}
"""Quantities that are missed when they go from a page that goes on."""
MOST_NAMED = 8
LOST_AFTER = 3
"""Scrapes in a row that fail, or lack something, before it is said: a busy server now and then misses one."""


class PageNotices:
    """Remembers what was told of one address."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._told_bad = False
        self._told_slow = False
        self._missed: dict[Thing, int] = {}
        """For each thing that was on the page, how many pages in a row have lacked it."""

    def left_out(self, page: Page) -> str:
        """For the note that the page was found; it is then told."""
        self._told_bad = bool(page.bad_lines)
        return f"{no_text(page.bad_lines)} and left out" if page.bad_lines else ""

    def of_page(
        self,
        now_ns: NowNs,
        found: Mapping[str, Sequence[TelemetryRecord]],
        bad_lines: Sequence[int],
        took_ns: int,
    ) -> list[TelemetryRecord]:
        """What is new about a page that could be read; `found` has the records of each kind of server."""
        said: list[tuple[bool, str]] = []
        if bool(bad_lines) != self._told_bad:
            self._told_bad = bool(bad_lines)
            text = (
                f"{no_text(bad_lines)} and left out" if bad_lines else "every line is Prometheus text again"
            )
            said.append((True, text))
        if (took_ns > SLOW_NS) != self._told_slow and not (self._told_slow and took_ns > SLOW_NS / 2):
            self._told_slow = not self._told_slow
            text = f"its page takes {took_ns / 1e9:.1f} s: fewer samples" if self._told_slow else ""
            said += [(True, text)] if text else []
        there = _things(found)
        back = {thing for thing in there if self._missed.get(thing, 0) >= LOST_AFTER}
        self._missed = {thing: missed + 1 for thing, missed in self._missed.items()} | dict.fromkeys(there, 0)
        gone = {thing for thing, missed in self._missed.items() if missed == LOST_AFTER}
        if gone:
            said.append((False, f"{_named(gone)}: no longer on the page, what is shown is from before"))
        if back:
            said.append((True, f"{_named(back)}: on the page again"))
        return [SourceNote(now_ns(), self._source, ok, f"{self._source}: {text}") for ok, text in said]


def no_text(lines: Sequence[int]) -> str:
    """`lines` are numbers of lines, at least one."""
    if len(lines) == 1:
        return f"line {lines[0]} is no Prometheus text"
    return f"{len(lines)} lines (the first is line {lines[0]}) are no Prometheus text"


def split_by_mig(records: Sequence[TelemetryRecord]) -> str:
    """Which GPUs of a page are shown by their MIG instances; empty where none is."""
    devices = {device.gpu: device for device in _devices(records)}
    parents = dict.fromkeys(device.parent for device in devices.values() if device.parent)
    labels = [_label(devices[parent]) for parent in parents if parent in devices]
    if not labels:
        return ""
    return f"{_listed(labels)} {'is' if len(labels) == 1 else 'are'} split by MIG"


def _things(found: Mapping[str, Sequence[TelemetryRecord]]) -> set[Thing]:
    """All that is on a page and would be missed."""
    labels = {device.gpu: _label(device) for records in found.values() for device in _devices(records)}
    things: set[Thing] = {(label, "") for label in labels.values()}
    for title, records in found.items():
        owner = f"the metrics of {title}"
        things.add((owner, ""))
        for record in records:
            if isinstance(record, GpuSamples):
                for gpu in record.gpus:
                    things |= _quantities(labels.get(gpu.gpu, gpu.gpu), gpu)
            elif isinstance(record, ServerSample):
                things |= _quantities(owner, record)
    return things


def _quantities(owner: str, sample: GpuSample | ServerSample) -> set[Thing]:
    return {(owner, words) for name, words in WATCHED.items() if getattr(sample, name, None) is not None}


def _named(things: Collection[Thing]) -> str:
    whole = {owner for owner, quantity in things if not quantity}
    words = [f"{quantity} of {owner}" for owner, quantity in things if quantity and owner not in whole]
    return _listed([*sorted(whole), *sorted(words)])


def _listed(words: Sequence[str]) -> str:
    if len(words) > MOST_NAMED:
        words = [*words[:MOST_NAMED], f"{len(words) - MOST_NAMED} more"]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _devices(records: Sequence[TelemetryRecord]) -> list[GpuDevice]:
    return [device for record in records if isinstance(record, GpuDevices) for device in record.devices]


def _label(device: GpuDevice) -> str:
    mig = f" MIG {device.mig}" if device.parent else ""
    return f"GPU {device.index}{mig}{f' of {device.host}' if device.host else ''}"
