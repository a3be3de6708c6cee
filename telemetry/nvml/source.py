"""This machine's NVIDIA GPUs through NVML (module `pynvml`, from the package nvidia-ml-py)."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from telemetry.nvml.calls import said
from telemetry.nvml.cuda_visible import GpuNames, Shown, shown
from telemetry.nvml.events import EventWatch
from telemetry.nvml.gpu import Gpu, GpuPoll
from telemetry.nvml.notices import Notices
from telemetry.parallel import ThreadPerCall
from telemetry.records import (
    GpuDevice,
    GpuDevices,
    GpuSample,
    GpuSamples,
    SourceNote,
    TelemetryRecord,
)
from telemetry.source import NowNs, bug

INTERVAL_NS = 250_000_000
"""The driver's own window is 1/6 to 1 s; asking more often says nothing more."""

PATIENCE_S = 0.15
"""So long a poll waits for the slowest GPU: within a tick, so that the others keep theirs."""
START_PATIENCE_S = 2.0
"""After so long without an answer to the first calls it is said; they are waited for all the same."""
FIRST_POLL_S = 10.0
"""Without persistence mode, a GPU's first call may take seconds."""
OWNERS_INTERVAL_NS = 10_000_000_000

NO_NVML = {
    12: "no NVIDIA driver on this machine (libnvidia-ml.so.1 not found); a container needs --gpus all",
    9: "the NVIDIA driver is installed but not loaded; run nvidia-smi, or sudo modprobe nvidia",
    18: "the NVIDIA driver and its library have different versions (updated while loaded?); reboot",
    4: "no permission to talk to the NVIDIA driver; check who may read and write /dev/nvidia*",
}
"""Why nvmlInit failed, by `NVMLError.value`, and what to do."""
SEE = "see what nvidia-smi says"


def _nothing() -> str:
    return ""


def _nobody() -> frozenset[int] | None:
    return None


class NvmlSource:
    """All GPUs of this machine, each asked by a thread of its own.

    Args:
        host: this machine's name, for `GpuDevice.host`.
        skip: asked once by `open`; a non-empty sentence says why NVML should be left alone.
        remark: asked once by `open`; words to add to the note about what was found.
        owners: pids of the server under test, or None; asked every 10 s, in a thread of its own.
        cuda_visible, cuda_order: the values of CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER; None where they
            are not set.
        interval_ns: between polls.
        patience_s: see `PATIENCE_S`.
        start_patience_s: see `START_PATIENCE_S`.
    """

    name = "nvml"

    def __init__(
        self,
        host: str = "",
        skip: Callable[[], str] = _nothing,
        remark: Callable[[], str] = _nothing,
        *,
        owners: Callable[[], frozenset[int] | None] = _nobody,
        cuda_visible: str | None = None,
        cuda_order: str | None = None,
        interval_ns: int = INTERVAL_NS,
        patience_s: float = PATIENCE_S,
        start_patience_s: float = START_PATIENCE_S,
    ) -> None:
        self._host = host
        self._skip = skip
        self._remark = remark
        self._ask_owners = owners
        self._cuda_visible = cuda_visible
        self._cuda_order = cuda_order
        self._interval_ns = interval_ns
        self._patience_s = patience_s
        self._start_patience_s = max(start_patience_s, patience_s)
        self._starting: ThreadPerCall[list[TelemetryRecord]] | None = None
        """Until the first calls have answered: no other is made meanwhile."""
        self._closed = False
        self._nvml: Any = None
        self._driver = ""
        self._gpus: list[Gpu] = []
        self._calls: ThreadPerCall[GpuPoll] | None = None
        self._owner_calls: ThreadPerCall[frozenset[int] | None] | None = None
        self._owners: frozenset[int] | None = None
        self._owners_ns: int | None = None
        self._told_owners = ""
        self._watch: EventWatch | None = None
        self._known: dict[int, GpuPoll] = {}
        """The newest answer of each GPU."""
        self._notices: Notices | None = None
        self._told_devices: list[GpuDevice] = []

    @property
    def interval_ns(self) -> int | None:
        return self._interval_ns if self._gpus or self._starting is not None else None

    def open(self, now_ns: NowNs) -> list[TelemetryRecord]:
        """Gives a note and, when there are GPUs, what they are and a first sample.

        A driver that lets its first calls hang is told as such; what they give comes with a later `sample`.
        """
        reason = self._skip()
        if reason:
            return [SourceNote(now_ns(), self.name, True, reason)]
        elsewhere = self._remark()
        self._starting = ThreadPerCall([lambda: self._begin(now_ns, elsewhere)], "telemetry nvml start")
        answers = self._starting.ask(self._start_patience_s).answers
        if answers:
            return self._begun(answers)
        waited = f"NVML: no answer for {self._start_patience_s:g} s"
        text = f"{waited}, a driver call blocks; see whether nvidia-smi answers"
        return [SourceNote(now_ns(), self.name, False, text)]

    def _begun(self, answers: dict[int, list[TelemetryRecord]]) -> list[TelemetryRecord]:
        if not answers:
            return []
        assert self._starting is not None
        self._starting.stop()
        self._starting = None
        return answers[0]

    def _begin(self, now_ns: NowNs, elsewhere: str) -> list[TelemetryRecord]:
        """All the first calls, each of which may hang."""
        reason = self._start(now_ns)
        if reason:
            return [SourceNote(now_ns(), self.name, False, f"NVML: {reason}")]
        if self._closed:
            return []
        self._notices = Notices(self.name, self._gpus)
        self._calls = ThreadPerCall([gpu.ask for gpu in self._gpus], "telemetry nvml")
        self._owner_calls = ThreadPerCall([self._ask_owners], "telemetry owners")
        unmarked = self._look_for_owners(now_ns, 1.0)
        polled = self._poll(now_ns, max(FIRST_POLL_S, self._patience_s))
        blind = self._watch_events(now_ns)
        described = f"NVML: {self._described()}"
        remarks = [remark for remark in (self._shown(), elsewhere, blind) if remark]
        return [SourceNote(now_ns(), self.name, True, ", ".join([described, *remarks])), *unmarked, *polled]

    def sample(self, now_ns: NowNs) -> list[TelemetryRecord]:
        """Gives `GpuSamples`; before it, notes, events and new `GpuDevices` when something changed."""
        if self._starting is not None:
            return self._begun(self._starting.collect().late)
        return [*self._look_for_owners(now_ns, 0.0), *self._poll(now_ns, self._patience_s)]

    def close(self) -> None:
        self._closed = True
        if self._starting is not None:
            self._starting.stop()
            return
        if self._watch is not None:
            self._watch.stop()
        if self._owner_calls is not None:
            self._owner_calls.stop()
        free = self._calls is None or self._calls.stop()
        # Pulled away from under a call that blocks, the library would crash the process.
        if self._nvml is not None and free:
            for gpu in self._gpus:
                gpu.close()
            with contextlib.suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()

    def _start(self, now_ns: NowNs) -> str:
        """Loads NVML and finds the GPUs; returns why that failed, or nothing."""
        try:
            import pynvml
        except ImportError:
            return "the Python package nvidia-ml-py is missing; pip install nvidia-ml-py"
        if not hasattr(pynvml, "_nvmlGetFunctionPointer"):
            return "the module pynvml is not NVIDIA's; pip uninstall pynvml, then pip install nvidia-ml-py"
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as err:
            return (
                NO_NVML.get(err.value) or f"it does not start: {said(err.__str__)} (code {err.value}); {SEE}"
            )
        self._nvml = pynvml
        try:
            self._driver = said(pynvml.nvmlSystemGetDriverVersion)
            count = pynvml.nvmlDeviceGetCount()
        except pynvml.NVMLError as err:
            return f"it does not list GPUs: {said(err.__str__)} (code {err.value}); {SEE}"
        if not count:
            return f"driver {self._driver} sees no GPU; a container needs --gpus all"
        self._gpus = [Gpu(pynvml, index, self.name, self._host, now_ns) for index in range(count)]
        return ""

    def _poll(self, now_ns: NowNs, patience_s: float) -> list[TelemetryRecord]:
        assert self._calls is not None
        assert self._notices is not None
        start_ns, cpu_ns = now_ns(), time.thread_time_ns()
        got = self._calls.ask(patience_s)
        late: list[TelemetryRecord] = []
        for place, answer in sorted(got.late.items()):
            self._known[place] = answer
            # What was read over more than a tick belongs to no instant.
            if answer.took_ns <= self._interval_ns:
                late.append(GpuSamples(answer.start_ns, answer.took_ns, self.name, answer.samples))
        self._known.update(got.answers)
        visible = self._visible()
        order = self._order(visible)
        samples: list[GpuSample] = []
        for place in order:
            found = got.answers.get(place)
            if found is None:
                samples.append(GpuSample(gpu=self._gpus[place].fix_key()))
                continue
            for sample in found.samples:
                sample.after_ns, sample.took_ns = max(0, found.start_ns - start_ns), found.took_ns
                samples.append(sample)
        cpu_ns = time.thread_time_ns() - cpu_ns + sum(answer.cpu_ns for answer in got.answers.values())
        record = GpuSamples(start_ns, now_ns() - start_ns, self.name, samples, cpu_ns=cpu_ns)
        answered = {**got.late, **got.answers}
        return [
            *self._device_news(order, visible, now_ns),
            *self._notices.changes(answered, now_ns),
            *self._notices.silence(got.busy, start_ns, now_ns),
            *self._events(answered, now_ns),
            *late,
            record,
        ]

    def _order(self, visible: Shown | None) -> list[int]:
        """Visible GPUs first, in the order of CUDA; then the others."""
        first = list(dict.fromkeys(place for place, _ in visible.devices)) if visible else []
        return [*first, *(place for place in range(len(self._gpus)) if place not in first)]

    def _visible(self) -> Shown | None:
        names = []
        for place, gpu in enumerate(self._gpus):
            known = self._known.get(place)
            names.append(GpuNames(gpu.uuid, gpu.name, known.instance_names if known else ()))
        return shown(self._cuda_visible, names, self._cuda_order)

    def _device_news(self, order: list[int], visible: Shown | None, now_ns: NowNs) -> list[TelemetryRecord]:
        """`GpuDevices`, when they are others than were told last."""
        devices = []
        for place in order:
            known = self._known.get(place)
            if known is None:
                gpu = self._gpus[place]
                known = GpuPoll(
                    0, 0, 0, [], [GpuDevice(gpu.fix_key(), gpu.index, gpu.name, self._host)], pids=[set()]
                )
            if known.lost and (before := self._told(known.devices[0].gpu)) is not None:
                devices.append(before)
                continue
            for part, (device, pids) in enumerate(zip(known.devices, known.pids, strict=True)):
                serves = None if self._owners is None else not pids.isdisjoint(self._owners)
                shown_as: dict[str, Any] = {"serves_target": serves}
                if visible is not None:
                    visible_as, cuda_index = visible.mark(place, part - 1 if part else None)
                    shown_as |= {"visible": visible_as, "cuda_index": cuda_index}
                devices.append(msgspec.structs.replace(device, **shown_as))
        if devices == self._told_devices:
            return []
        self._told_devices = devices
        return [GpuDevices(now_ns(), self.name, devices, driver=self._driver)]

    def _told(self, key: str) -> GpuDevice | None:
        return next((device for device in self._told_devices if device.gpu == key), None)

    def _look_for_owners(self, now_ns: NowNs, patience_s: float) -> list[TelemetryRecord]:
        """A note when that fails: it costs the marks of the GPUs that serve, and no GPU its values."""
        assert self._owner_calls is not None
        t_ns = now_ns()
        due = self._owners_ns is None or t_ns - self._owners_ns >= OWNERS_INTERVAL_NS
        try:
            if due:
                self._owners_ns = t_ns
                got = self._owner_calls.ask(patience_s)
            else:
                got = self._owner_calls.collect()
        except Exception as err:
            self._owners = None
            text = f"NVML: which GPUs serve the target is not known: {bug(err)}"
            told, self._told_owners = self._told_owners, text
            return [] if told == text else [SourceNote(t_ns, self.name, True, text)]
        for owners in (*got.late.values(), *got.answers.values()):
            self._owners = owners
        return []

    def _watch_events(self, now_ns: NowNs) -> str:
        gpus = {gpu.uuid: (gpu.fix_key(), gpu.label) for gpu in self._gpus if gpu.uuid}
        handles = [handle for gpu in self._gpus if (handle := gpu.handle()) is not None]
        watch = EventWatch(self._nvml, self.name, gpus, now_ns)
        reason = watch.start(handles)
        if reason:
            return f"XID and ECC events cannot be watched ({reason})"
        self._watch = watch
        return ""

    def _events(self, answered: dict[int, GpuPoll], now_ns: NowNs) -> list[TelemetryRecord]:
        assert self._notices is not None
        if self._watch is None:
            return self._notices.errors(answered, now_ns)
        # Uncorrectable ones have been told at the time when they happened.
        return [*self._watch.take(), *self._notices.errors(answered, now_ns, but=("ecc_uncorrected",))]

    def _described(self) -> str:
        names = Counter(gpu.name or "unknown" for gpu in self._gpus)
        listed = ", ".join(f"{count} x {name}" for name, count in names.items())
        return f"{len(self._gpus)} GPU{'s' if len(self._gpus) > 1 else ''} ({listed}), driver {self._driver}"

    def _shown(self) -> str:
        visible = self._visible()
        return "" if visible is None else visible.words(len(self._gpus))
