"""A GPU is called the same in the panel of GPUs and in the line of what binds, judged or shown."""

from __future__ import annotations

from typing import Any

import pytest

from loadgen.records import TICK_NS, Tick
from sessions.bottleneck.evidence_by_second import evidence
from sessions.bottleneck.history import BottleneckHistory
from sessions.frame.build import build
from sessions.store.records import LoadChange
from telemetry.records import GpuDevice, GpuDevices, GpuSample, GpuSamples, ServerSample
from tests.sessions.bottleneck.test_history import S, folded
from tui.panels.gpu_meters import name_of


def run_on(*devices: GpuDevice, draws_most: str) -> Any:
    records: list[Any] = [GpuDevices(1, "nvml", list(devices)), LoadChange(0, "start", rate_rps=8.0)]
    for i in range(1, 40):
        t_ns = i * TICK_NS
        records.append(Tick(t_ns=t_ns, dt_ns=TICK_NS, worker=0, due=2, sent=2, in_flight=4, rate_rps=8.0))
        records.append(ServerSample(t_ns, 1, "m", waiting=0.0, kv_pct=20.0))
        samples = [
            GpuSample(one.gpu, 60.0, power_w=600.0 if one.gpu == draws_most else 300.0, power_limit_w=700.0)
            for one in devices
        ]
        records.append(GpuSamples(t_ns, 1, "nvml", samples))
    return folded(records)


@pytest.mark.parametrize(
    ("devices", "name"),
    [
        ((GpuDevice("a", 0), GpuDevice("b", 1)), "GPU1"),
        ((GpuDevice("a", 0, host="n1"), GpuDevice("b", 0, host="n2")), "n2:0"),
        ((GpuDevice("a", 0), GpuDevice("b", 0, mig="1g.10gb"), GpuDevice("c", 0, mig="2g.20gb")), "GPU0 1g.10gb"),
        # What serves is of one host, but what the panel shows is of two.
        (
            (
                GpuDevice("a", 0, host="n1", serves_target=False),
                GpuDevice("b", 1, host="n2", serves_target=True),
                GpuDevice("c", 2, host="n2", serves_target=True),
            ),
            "n2:1",
        ),
    ],
)  # fmt: skip
def test_a_gpu_has_one_name(devices: tuple[GpuDevice, ...], name: str) -> None:
    timeline = run_on(*devices, draws_most="b")
    (judged,) = evidence(timeline, 8, 9)
    assert judged.gpu == name
    frame = build(timeline, None, at_ns=9 * S, window_ns=60 * S, slots=60, live=True, killed=False)
    assert f"{name} draws most: 600/700 W" in frame.limit.why
    assert f"{name} draws most: 600/700 W" in BottleneckHistory(timeline).at(9 * S).why
    assert name in [name_of(gpu) for gpu in frame.gpus]
