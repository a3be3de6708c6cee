"""Whose GPUs they are: CUDA_VISIBLE_DEVICES, processes, the server under load."""

from __future__ import annotations

import os
import threading

from telemetry.nvml.source import NvmlSource
from telemetry.records import GpuDevices
from tests.telemetry.nvml.polls import SetClock, gpus, notes, of, opened


def test_cuda_visible_devices_sets_the_order_and_marks_the_others(nvml):
    nvml.says("count 4")
    _, _, records = opened(cuda_visible="3,GPU-fake-1")
    (devices,) = of(records, GpuDevices)
    assert [(d.index, d.visible, d.cuda_index) for d in devices.devices] == [
        (3, True, 0),
        (1, True, 1),
        (0, False, None),
        (2, False, None),
    ]
    assert [sample.gpu[-1] for sample in gpus(records)] == ["3", "1", "0", "2"]
    assert notes(records)[0][1].endswith("driver 999.1, CUDA_VISIBLE_DEVICES shows 2 of them")


def test_without_cuda_visible_devices_nothing_is_said_of_visibility(nvml):
    _, _, records = opened()
    assert [d.visible for d in of(records, GpuDevices)[0].devices] == [None, None]


def test_processes_are_listed_once_a_second_with_memory_and_name(nvml):
    nvml.says(f"count 1; pid1 {os.getpid()}; pid1_memory 4096; pid2 99999999")
    source, clock = NvmlSource(patience_s=60), SetClock()
    (gpu,) = gpus(source.open(clock))
    # The second pid cannot be; the first one's memory is not known when the driver says all bits set.
    assert [(one.pid, one.memory_bytes) for one in gpu.processes] == [(os.getpid(), 4096)]
    clock.ns += 999_000_000
    assert gpus(source.sample(clock))[0].processes is None
    nvml.says(f"count 1; pid1 {os.getpid()}")
    clock.ns += 1_000_000
    assert [one.memory_bytes for one in gpus(source.sample(clock))[0].processes] == [None]


def test_the_gpus_on_which_the_servers_processes_compute_are_marked(nvml):
    nvml.says("count 2; pid1.0 11; pid1.1 12; pid2.1 13")
    _, _, records = opened(owners=lambda: frozenset({1, 13}))
    assert [d.serves_target for d in of(records, GpuDevices)[0].devices] == [False, True]


def test_a_server_that_cannot_be_seen_marks_nothing(nvml):
    nvml.says("count 2; pid1.0 11")
    _, _, records = opened(owners=lambda: None)
    assert [d.serves_target for d in of(records, GpuDevices)[0].devices] == [None, None]


def test_a_server_that_starts_later_is_marked_when_it_is_seen(nvml):
    nvml.says("count 1; pid1.0 11")
    found = []
    source, clock, _ = opened(owners=lambda: frozenset(found) or None)
    found.append(11)
    clock.ns += 10_000_000_000
    for _ in range(3000):
        changed = of(source.sample(clock), GpuDevices)
        if changed:
            break
        threading.Event().wait(0.01)
    assert [d.serves_target for d in changed[0].devices] == [True]
