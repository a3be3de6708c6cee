"""What a person is told about this machine's GPUs, each thing once: lost, back, silent, remarks, errors."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from telemetry.nvml.gpu import SILENT_NS, Gpu, GpuPoll
from telemetry.records import GpuEvent, SourceNote, TelemetryRecord
from telemetry.source import NowNs

ERROR_WORDS = {
    "ecc_corrected": "{count} memory errors corrected",
    "ecc_uncorrected": "{count} uncorrectable memory errors",
    "row_remapped": "{count} memory rows remapped after uncorrectable errors",
    "remap_failed": "a memory row could not be remapped: the GPU wants replacing",
}
"""What a person is told of each counter of `telemetry.nvml.fields.ERRORS` that grew."""


class Notices:
    """Remembers what was told. `gpus` are known by their place."""

    def __init__(self, source: str, gpus: Sequence[Gpu]) -> None:
        self._source = source
        self._gpus = gpus
        self._busy_since: dict[int, int] = {}
        self._told_busy: set[int] = set()
        self._told_lost: set[int] = set()
        self._missing_since: dict[int, dict[str, int]] = {}
        """By GPU: since when which quantity has been missing."""
        self._told_missing: dict[int, set[str]] = {}
        self._told_remarks: set[tuple[int, str]] = set()

    def changes(self, answered: Mapping[int, GpuPoll], now_ns: NowNs) -> list[TelemetryRecord]:
        """What is new about those that answered."""
        notes: list[TelemetryRecord] = []
        for place, answer in sorted(answered.items()):
            label = self._gpus[place].label
            if answer.lost and place not in self._told_lost:
                self._told_lost.add(place)
                notes.append(self._note(now_ns, False, f"{label} gives no values: {answer.lost}"))
            elif not answer.lost and place in self._told_lost:
                self._told_lost.discard(place)
                notes.append(self._note(now_ns, True, f"{label} is back"))
            notes += self._missing(place, answer, now_ns)
            if answer.energy_went_back:
                text = "its energy counter went back (driver reloaded?): no energy across that instant"
                notes.append(self._note(now_ns, True, f"{label}: {text}"))
            for remark in sorted(answer.remarks):
                if (place, remark) not in self._told_remarks:
                    self._told_remarks.add((place, remark))
                    notes.append(self._note(now_ns, True, f"{label}: {remark}"))
        return notes

    def _missing(self, place: int, answer: GpuPoll, now_ns: NowNs) -> list[TelemetryRecord]:
        """What it gave once and has not for a second; and what it gives again. A lost GPU is told as lost."""
        if answer.lost:
            for known in (self._missing_since, self._told_missing):
                known.pop(place, None)
            return []
        label, t_ns = self._gpus[place].label, now_ns()
        since = self._missing_since.get(place, {})
        since = {quantity: since.get(quantity, t_ns) for quantity in answer.missing}
        self._missing_since[place] = since
        told = self._told_missing.setdefault(place, set())
        notes: list[TelemetryRecord] = []
        back = told - since.keys()
        gone = {quantity for quantity, at_ns in since.items() if t_ns - at_ns >= SILENT_NS} - told
        if gone:
            words = ", ".join(sorted({answer.missing[quantity] for quantity in gone}))
            text = f"{label} no longer gives {', '.join(sorted(gone))} ({words})"
            notes.append(self._note(now_ns, False, f"{text}: what is shown of it is from before"))
        if back:
            notes.append(self._note(now_ns, True, f"{label} gives {', '.join(sorted(back))} again"))
        self._told_missing[place] = (told | gone) - back
        return notes

    def silence(self, busy: Collection[int], start_ns: int, now_ns: NowNs) -> list[TelemetryRecord]:
        """A driver that blocks is told after a second, and again when it is over."""
        notes: list[TelemetryRecord] = []
        for place, gpu in enumerate(self._gpus):
            if place in busy:
                since_ns = self._busy_since.setdefault(place, start_ns)
                if now_ns() - since_ns >= SILENT_NS and place not in self._told_busy:
                    self._told_busy.add(place)
                    text = f"{gpu.label} has not answered for 1 s: a driver call blocks; the others go on"
                    notes.append(self._note(now_ns, False, text))
            elif place in self._busy_since:
                took_s = (now_ns() - self._busy_since.pop(place)) / 1e9
                if place in self._told_busy:
                    self._told_busy.discard(place)
                    notes.append(self._note(now_ns, True, f"{gpu.label} answers again, after {took_s:.1f} s"))
        return notes

    def errors(
        self, answered: Mapping[int, GpuPoll], now_ns: NowNs, but: Collection[str] = ()
    ) -> list[TelemetryRecord]:
        """A `GpuEvent` for each error counter that grew, without those named in `but`."""
        events: list[TelemetryRecord] = []
        for place, answer in sorted(answered.items()):
            gpu = self._gpus[place]
            for name, count in answer.grown.items():
                if name not in but:
                    text = f"{gpu.label}: {ERROR_WORDS[name].format(count=count)}"
                    events.append(
                        GpuEvent(now_ns(), self._source, gpu.fix_key(), name, count=count, text=text)
                    )
        return events

    def _note(self, now_ns: NowNs, ok: bool, text: str) -> SourceNote:
        return SourceNote(now_ns(), self._source, ok, text)
