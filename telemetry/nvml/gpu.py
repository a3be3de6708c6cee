"""One GPU of this machine with its MIG instances: asked as a whole, by one thread."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from telemetry.nvml.calls import NOT_FOUND, NOT_SUPPORTED, GpuLost, GuardedCalls, gpu_lost, said
from telemetry.nvml.device import Device, processes_of, profile_of, uuid_of
from telemetry.nvml.fields import Fields
from telemetry.nvml.readings import CONSTANTS, MIG_READINGS, POWER, READINGS, Values, read
from telemetry.nvml.unified_memory import UNIFIED, machine_memory
from telemetry.records import GpuDevice, GpuSample
from telemetry.source import NowNs, bug

LOST_RETRY_NS = 5_000_000_000
PROCESSES_INTERVAL_NS = 1_000_000_000
SILENT_NS = 1_000_000_000
"""A GPU that gives no value for so long is lost: a driver that is asked too early fails for a poll."""
MIG_INTERVAL_NS = 10_000_000_000


@dataclass
class GpuPoll:
    """One GPU, asked once. Its own sample stands first, then those of its MIG instances."""

    start_ns: int
    took_ns: int
    cpu_ns: int
    samples: list[GpuSample]
    devices: list[GpuDevice]
    """What is known of the devices of `samples`, but for what depends on other GPUs or on the target."""
    lost: str = ""
    """Why it gives no values at all; empty when it does."""
    missing: dict[str, str] = field(default_factory=dict)
    """What it gave once and does not any more (in a person's words) -> NVML's words."""
    remarks: set[str] = field(default_factory=set)
    grown: dict[str, int] = field(default_factory=dict)
    """How much each error counter of `telemetry.nvml.fields.ERRORS` grew since the last poll."""
    energy_went_back: bool = False
    instance_names: tuple[tuple[str, ...], ...] = ()
    """For each MIG instance what CUDA_VISIBLE_DEVICES may call it."""
    pids: list[set[int]] = field(default_factory=list)
    """For each of `devices` the processes that were last seen to compute there."""


class Gpu:
    """One GPU of this machine, asked as a whole; it outlives a GPU that is lost and comes back.

    Args:
        nvml: the module pynvml, started.
        index: the GPU's number as NVML counts.
        source, host: who speaks and of which machine, for keys and `GpuDevice`.
    """

    def __init__(self, nvml: Any, index: int, source: str, host: str, now_ns: NowNs) -> None:
        self._nvml = nvml
        self.index = index
        self._source = source
        self._host = host
        self._now_ns = now_ns
        self._whole: Device | None = None
        self._instances: list[Device] = []
        self._fields = Fields(nvml)
        self._retry_ns = 0
        self._lost = ""
        """Why it gives no values at all; empty when it does."""
        self._gave_ns: int | None = None
        """When it last gave a value; None while it has not since it was found."""
        self._off_the_bus = False
        """It is the GPU that is lost, not its values alone."""
        self._asked_processes_ns: int | None = None
        self._asked_mig_ns: int | None = None
        self._energy_j: float | None = None
        self.key = ""
        """Never changes once it is set, even when the UUID becomes known late."""
        self.uuid = ""
        self.name = ""

    @property
    def label(self) -> str:
        """What a person reads: `GPU 0 (NVIDIA H100 80GB HBM3)`."""
        return f"GPU {self.index}{f' ({self.name})' if self.name else ''}"

    def fix_key(self) -> str:
        """The key: the UUID where it is known by now, else `source#index`. It stays the same from now on."""
        self.key = self.key or self.uuid or f"{self._source}#{self.index}"
        return self.key

    def handle(self) -> Any:
        """NVML's handle of the whole GPU; None while it is lost."""
        return None if self._whole is None else self._whole.handle

    def ask(self) -> GpuPoll:
        """Everything there is to know now. May block for as long as the driver does."""
        start_ns, cpu_ns = self._now_ns(), time.thread_time_ns()
        answer = GpuPoll(start_ns, 0, 0, [], [])
        if self._whole is None and self._lost and start_ns < self._retry_ns:
            self._gone(answer)
        else:
            try:
                self._read(answer)
            except GpuLost as err:
                self._lose(str(err), answer, lost=not err.forbidden)
            except Exception as err:
                self._lose(bug(err), answer, lost=False)
            else:
                self._lost = ""
        answer.lost = self._lost
        answer.cpu_ns = time.thread_time_ns() - cpu_ns
        answer.took_ns = self._now_ns() - start_ns
        return answer

    def close(self) -> None:
        """Gives back what the driver lent. From another thread only while nothing is being asked."""
        for device in self._devices():
            device.gpm.close()
        self._whole, self._instances = None, []
        self._fields.forget()
        self._gave_ns = None
        self._asked_processes_ns = self._asked_mig_ns = None

    def _devices(self) -> list[Device]:
        return [] if self._whole is None else [self._whole, *self._instances]

    def _lose(self, why: str, answer: GpuPoll, *, lost: bool) -> None:
        """`lost` false: it may be well, but we get nothing of it."""
        self.close()
        self._lost = f"{why}; asked again every 5 s{', it may need a reset' if lost else ''}"
        self._off_the_bus, self._retry_ns = lost, self._now_ns() + LOST_RETRY_NS
        self._gone(answer)

    def _gone(self, answer: GpuPoll) -> None:
        key = self.fix_key()
        answer.samples = [GpuSample(gpu=key, lost=self._off_the_bus)]
        answer.pids = [set()]
        answer.devices = [GpuDevice(gpu=key, index=self.index, name=self.name, host=self._host)]

    def _read(self, answer: GpuPoll) -> None:
        whole = self._whole or self._find()
        self._look_for_instances(whole)
        values = read(whole.calls, whole.handle, READINGS, answer.remarks)
        from_fields, answer.grown = self._fields.read(whole.calls, whole.handle, self._now_ns)
        values.update(from_fields)
        if not self._fields.supports("power_w"):
            values.update(read(whole.calls, whole.handle, POWER, answer.remarks))
        gpm = whole.gpm.read(whole.handle, self._now_ns)
        if whole.gpm.remark:
            answer.remarks.add(whole.gpm.remark)
        # NVLink's own counters are of payload; GPM's PCIe counters do not wrap.
        values.update({k: v for k, v in gpm.items() if not (k.startswith("nvlink") and k in values)})
        self._must_give_something(whole, values)
        self._memory(whole, values, answer.remarks)
        energy = values.get("energy_j")
        if energy is not None:
            answer.energy_went_back = self._energy_j is not None and energy < self._energy_j
            self._energy_j = energy
        of_instances = [self._read_instance(instance, answer.remarks) for instance in self._instances]
        if self._processes_are_due():
            for device, into in zip(self._devices(), [values, *of_instances], strict=True):
                device.processes = processes_of(device)
                into["processes"] = device.processes
        keys = [self.fix_key(), *(instance.uuid for instance in self._instances)]
        answer.samples = [
            msgspec.structs.replace(GpuSample(gpu=key), **some)
            for key, some in zip(keys, [values, *of_instances], strict=True)
        ]
        answer.devices = [
            self._described(device, key) for key, device in zip(keys, self._devices(), strict=True)
        ]
        answer.instance_names = tuple((one.uuid, one.older_name) for one in self._instances)
        answer.missing = self._missing(whole)
        answer.pids = [{one.pid for one in device.processes or ()} for device in self._devices()]

    def _must_give_something(self, whole: Device, values: Values) -> None:
        """
        Raises:
            GpuLost: every value has failed for a second, or since the GPU was found.
        """
        t_ns = self._now_ns()
        if any(value is not None for value in values.values()):
            self._gave_ns = t_ns
        elif whole.calls.error and (self._gave_ns is None or t_ns - self._gave_ns >= SILENT_NS):
            raise gpu_lost(whole.calls.error)

    def _find(self) -> Device:
        """(Re)gets the handle. A GPU that cannot be had for whatever reason is lost."""
        nvml = self._nvml
        try:
            # Indices may move when a GPU falls off the bus and comes back; the UUID stays.
            if self.uuid:
                handle = nvml.nvmlDeviceGetHandleByUUID(self.uuid)
            else:
                handle = nvml.nvmlDeviceGetHandleByIndex(self.index)
        except nvml.NVMLError as err:
            raise gpu_lost(err) from err
        device = self._device(handle, None)
        self.uuid = device.uuid or self.uuid
        self.name = device.name or self.name
        device.constants = read(device.calls, handle, CONSTANTS, set())
        self._whole = device
        return device

    def _device(self, handle: Any, instance: int | None) -> Device:
        calls = GuardedCalls(self._nvml)
        name = calls.ask("name", lambda: said(lambda: self._nvml.nvmlDeviceGetName(handle))) or ""
        uuid = calls.ask("UUID", lambda: uuid_of(self._nvml, handle)) or ""
        return Device(self._nvml, handle, uuid, name, instance)

    def _look_for_instances(self, whole: Device) -> None:
        """MIG instances come and go while a run lasts: looked for every 10 s."""
        t_ns = self._now_ns()
        if self._asked_mig_ns is not None and t_ns - self._asked_mig_ns < MIG_INTERVAL_NS:
            return
        self._asked_mig_ns = t_ns
        mode = whole.calls.ask("MIG", lambda: self._nvml.nvmlDeviceGetMigMode(whole.handle))
        if mode is None and "MIG" not in whole.calls.refused:
            return
        found = self._found_instances(whole) if mode and mode[0] else []
        known = {instance.uuid: instance for instance in self._instances}
        kept = [known.pop(instance.uuid, instance) for instance in found]
        for gone in known.values():
            gone.gpm.close()
        self._instances = kept

    def _found_instances(self, whole: Device) -> list[Device]:
        nvml = self._nvml
        found = []
        most = whole.calls.ask("MIG count", lambda: nvml.nvmlDeviceGetMaxMigDeviceCount(whole.handle)) or 0
        for place in range(min(most, 64)):
            try:
                handle = nvml.nvmlDeviceGetMigDeviceHandleByIndex(whole.handle, place)
                instance = nvml.nvmlDeviceGetGpuInstanceId(handle)
            except nvml.NVMLError as err:
                # The places that are not taken are not always the last ones.
                if err.value == NOT_FOUND:
                    continue
                break
            device = self._device(handle, instance)
            ask_part = partial(nvml.nvmlDeviceGetComputeInstanceId, handle)
            part = device.calls.ask("compute instance", ask_part) or 0
            device.older_name = f"MIG-{whole.uuid}/{instance}/{part}"
            if device.uuid:
                found.append(device)
        return found

    def _read_instance(self, instance: Device, remarks: set[str]) -> Values:
        values = read(instance.calls, instance.handle, MIG_READINGS, remarks)
        instance.constants = {"memory_total_bytes": values.get("memory_total_bytes")}
        # GPM asks the parent, by the number of the instance.
        assert self._whole is not None
        values.update(instance.gpm.read(self._whole.handle, self._now_ns))
        if instance.gpm.remark:
            remarks.add(instance.gpm.remark)
        return values

    def _memory(self, whole: Device, values: Values, remarks: set[str]) -> None:
        """Takes the machine's memory where the GPU has none of its own."""
        refused = whole.calls.refused
        if self._instances or "memory 0" not in refused or refused.get("memory 1") != NOT_SUPPORTED:
            return
        machine = machine_memory()
        if machine:
            values.update(machine, memory_reserved_bytes=None)
            whole.constants["memory_total_bytes"] = machine["memory_total_bytes"]
            whole.unified = True
            remarks.add(UNIFIED)

    def _missing(self, whole: Device) -> dict[str, str]:
        missing = dict(whole.calls.missing)
        for instance in self._instances:
            for quantity, words in instance.calls.missing.items():
                missing[f"{quantity} of MIG {profile_of(instance)}"] = words
        return missing

    def _processes_are_due(self) -> bool:
        t_ns = self._now_ns()
        due = self._asked_processes_ns is None or t_ns - self._asked_processes_ns >= PROCESSES_INTERVAL_NS
        if due:
            self._asked_processes_ns = t_ns
        return due

    def _described(self, device: Device, key: str) -> GpuDevice:
        known = {k: v for k, v in device.constants.items() if k in GpuDevice.__struct_fields__}
        described = GpuDevice(gpu=key, index=self.index, name=device.name, host=self._host, **known)
        described.unified_memory = device.unified
        if device is not self._whole:
            described.parent = self.key
            described.mig = profile_of(device)
        return described
