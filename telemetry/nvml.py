"""This machine's NVIDIA GPUs through NVML (module `pynvml`, from the package nvidia-ml-py)."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from telemetry.nvml_readings import CONSTANTS, FUNCTION_NOT_FOUND, NOT_SUPPORTED, READINGS, Values, Way
from telemetry.records import GpuDevice, GpuDevices, GpuSample, GpuSamples, SourceNote, TelemetryRecord
from telemetry.source import NowNs, plain

INTERVAL_NS = 250_000_000
"""The driver's own window is 1/6 to 1 s; asking more often says nothing more."""

LOST_RETRY_NS = 5_000_000_000

NO_PERMISSION = 4
ARGUMENT_VERSION_MISMATCH = 25
PERMANENT = (NOT_SUPPORTED, FUNCTION_NOT_FOUND, NO_PERMISSION, ARGUMENT_VERSION_MISMATCH)
"""Answers that will not change while this process lives."""

LOST = (15, 16)
"""GpuIsLost, ResetRequired."""

NO_NVML = {
    12: "no NVIDIA driver on this machine (libnvidia-ml.so.1 not found); a container needs --gpus all",
    9: "the NVIDIA driver is installed but not loaded; run nvidia-smi, or sudo modprobe nvidia",
    18: "the NVIDIA driver and its library have different versions (updated while loaded?); reboot",
    4: "no permission to talk to the NVIDIA driver; check who may read and write /dev/nvidia*",
}
"""Why nvmlInit failed, by `NVMLError.value`, and what to do."""


@dataclass
class _Gpu:
    index: int
    key: str = ""
    uuid: str = ""
    name: str = ""
    handle: Any = None
    lost: str = ""
    """Why it gives no values; empty when it does."""
    retry_ns: int = 0
    unsupported: set[tuple[str, int]] = field(default_factory=set)
    """(quantity, way) never to be asked again."""
    remarks: set[str] = field(default_factory=set)
    told_lost: bool = False
    told_remarks: set[str] = field(default_factory=set)


class _Lost(Exception):
    pass


def _nothing() -> str:
    return ""


class NvmlSource:
    """All GPUs of this machine, at 4 Hz.

    Args:
        host: this machine's name, for `GpuDevice.host`.
        skip: asked once by `open`; a non-empty sentence says why NVML should be left alone.
        remark: asked once by `open`; words to add to the note about what was found.
    """

    name = "nvml"

    def __init__(
        self, host: str = "", skip: Callable[[], str] = _nothing, remark: Callable[[], str] = _nothing
    ) -> None:
        self._host = host
        self._skip = skip
        self._remark = remark
        self._nvml: Any = None
        self._gpus: list[_Gpu] = []
        self._driver = ""

    @property
    def interval_ns(self) -> int | None:
        return INTERVAL_NS if self._gpus else None

    def open(self, now_ns: NowNs) -> list[TelemetryRecord]:
        """Gives a note and, when there are GPUs, what they are and a first sample."""
        reason = self._skip()
        if reason:
            return [SourceNote(now_ns(), self.name, True, reason)]
        reason = self._start()
        if reason:
            return [SourceNote(now_ns(), self.name, False, f"NVML: {reason}")]
        devices = self._devices(now_ns)
        first = self.sample(now_ns)
        remark = self._remark()
        found = f"NVML: {self._described()}{', ' + remark if remark else ''}"
        return [SourceNote(now_ns(), self.name, True, found), devices, *first]

    def sample(self, now_ns: NowNs) -> list[TelemetryRecord]:
        """Gives `GpuSamples`; before it, notes and new `GpuDevices` when a GPU was lost or came back."""
        start_ns = now_ns()
        samples = []
        for gpu in self._gpus:
            values = self._read(gpu, READINGS, now_ns)
            samples.append(msgspec.structs.replace(GpuSample(gpu=gpu.key), **values))
        record = GpuSamples(start_ns, now_ns() - start_ns, self.name, samples)
        return [*self._news(now_ns), record]

    def close(self) -> None:
        if self._nvml is not None:
            with contextlib.suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()

    def _start(self) -> str:
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
            return NO_NVML.get(err.value) or f"it does not start: {plain(str(err))} (code {err.value})"
        self._nvml = pynvml
        try:
            self._driver = plain(pynvml.nvmlSystemGetDriverVersion())
            count = pynvml.nvmlDeviceGetCount()
        except pynvml.NVMLError as err:
            return f"it does not list GPUs: {plain(str(err))} (code {err.value})"
        if not count:
            return f"driver {self._driver} sees no GPU"
        self._gpus = [_Gpu(index) for index in range(count)]
        return ""

    def _find(self, gpu: _Gpu) -> None:
        """(Re)gets the handle. Raises `_Lost`, also for other errors: a GPU that cannot be had is lost."""
        nvml = self._nvml
        try:
            # Indices may move when a GPU falls off the bus and comes back; the UUID stays.
            if gpu.uuid:
                handle = nvml.nvmlDeviceGetHandleByUUID(gpu.uuid)
            else:
                handle = nvml.nvmlDeviceGetHandleByIndex(gpu.index)
        except nvml.NVMLError as err:
            raise _Lost(str(err)) from err
        gpu.name = self._text(nvml.nvmlDeviceGetName, handle) or gpu.name
        gpu.uuid = self._text(nvml.nvmlDeviceGetUUID, handle) or gpu.uuid
        gpu.handle = handle
        # The key never changes in a session, even when the UUID becomes known late.
        gpu.key = gpu.key or gpu.uuid or f"{self.name}#{gpu.index}"

    def _text(self, call: Callable[[Any], str], handle: Any) -> str:
        try:
            return plain(call(handle))
        except self._nvml.NVMLError as err:
            if err.value in LOST:
                raise _Lost(str(err)) from err
            return ""

    def _read(self, gpu: _Gpu, table: dict[str, tuple[Way, ...]], now_ns: NowNs) -> Values:
        """All of `table` that answers. A lost GPU gives nothing, and is looked for every 5 s."""
        try:
            if gpu.handle is None:
                if gpu.lost and now_ns() < gpu.retry_ns:
                    return {}
                self._find(gpu)
            values: Values = {}
            for quantity, ways in table.items():
                values.update(self._quantity(gpu, quantity, ways))
        except _Lost as err:
            gpu.key = gpu.key or f"{self.name}#{gpu.index}"
            gpu.lost, gpu.handle, gpu.retry_ns = plain(str(err)), None, now_ns() + LOST_RETRY_NS
            return {}
        gpu.lost = ""
        return values

    def _quantity(self, gpu: _Gpu, quantity: str, ways: tuple[Way, ...]) -> Values:
        for number, way in enumerate(ways):
            values = self._query(gpu, (quantity, number), way)
            if values is not None:
                if way.remark and values:
                    gpu.remarks.add(way.remark)
                return values
        return {}

    def _query(self, gpu: _Gpu, asked: tuple[str, int], way: Way) -> Values | None:
        """The one door to a GPU's values: None when this way never works, empty when it did not this time."""
        if asked in gpu.unsupported:
            return None
        try:
            return way.call(self._nvml, gpu.handle)
        except self._nvml.NVMLError as err:
            # NVMLError has no hash, and comparing it with another type raises: only its value is safe.
            if err.value in LOST:
                raise _Lost(str(err)) from err
            if err.value in PERMANENT:
                gpu.unsupported.add(asked)
                return None
            return {}

    def _devices(self, now_ns: NowNs) -> GpuDevices:
        devices = []
        for gpu in self._gpus:
            values = self._read(gpu, CONSTANTS, now_ns)
            known = {name: values[name] for name in values if name in GpuDevice.__struct_fields__}
            device = GpuDevice(gpu=gpu.key, index=gpu.index, name=gpu.name, host=self._host)
            devices.append(msgspec.structs.replace(device, **known))
        return GpuDevices(now_ns(), self.name, devices, driver=self._driver)

    def _described(self) -> str:
        names = Counter(gpu.name or "unknown" for gpu in self._gpus)
        listed = ", ".join(f"{count} x {name}" for name, count in names.items())
        return f"{len(self._gpus)} GPU{'s' if len(self._gpus) > 1 else ''} ({listed}), driver {self._driver}"

    def _news(self, now_ns: NowNs) -> list[TelemetryRecord]:
        """What changed about the GPUs since it was last told."""
        notes: list[TelemetryRecord] = []
        back = False
        for gpu in self._gpus:
            label = f"GPU {gpu.index}{f' ({gpu.name})' if gpu.name else ''}"
            if gpu.lost and not gpu.told_lost:
                text = f"{label} gives no values: {gpu.lost}; asked again every 5 s, it may need a reset"
                notes.append(SourceNote(now_ns(), self.name, False, text))
            if gpu.told_lost and not gpu.lost:
                notes.append(SourceNote(now_ns(), self.name, True, f"{label} is back"))
                back = True
            for remark in sorted(gpu.remarks - gpu.told_remarks):
                notes.append(SourceNote(now_ns(), self.name, True, f"{label}: {remark}"))
            gpu.told_lost = bool(gpu.lost)
            gpu.told_remarks |= gpu.remarks
        return [*notes, self._devices(now_ns)] if back else notes
