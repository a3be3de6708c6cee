"""Sessions made of records, as the screen sees them: a real timeline, real frames, no file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from loadgen.records import TICK_NS, Request, Tick
from loadgen.sketch import SketchCounts
from sessions.store.records import LoadChange
from sessions.timeline.requests import RequestColumns
from telemetry.records import GpuDevice, GpuDevices, GpuProcess, GpuSample, GpuSamples
from tests.sessions.timeline.folding import folded
from tests.tui.views import recorded
from tui.controls.playhead import Playhead
from tui.controls.screen_state import ScreenState
from tui.controls.time_window import column_ns
from tui.draw import layout
from tui.draw.paged_axis import first_column_ns
from tui.draw.theme import Theme
from tui.panels.strip import marks_of
from tui.views.overview import scales_for
from tui.views.view import Drawing

S = 1_000_000_000
GIB = 2**30


class Recorded(recorded.Recorded):
    """A session that is over."""

    def __init__(self, records: Iterable[Any]) -> None:
        super().__init__(folded(*records), None)
        self.state = "ended"
        self.asked_for_requests = False

    @property
    def requests(self) -> RequestColumns:
        self.asked_for_requests = True
        return super().requests


def drawing(
    source: Recorded,
    size: tuple[int, int],
    *,
    at_ns: int | None = None,
    theme: Theme | None = None,
    window_s: float = 60.0,
    view: str = "gpus",
) -> Drawing:
    """As the session screen makes it, whole: `tui.views.views.within` leaves a view its part."""
    width, height = size
    plot = layout.columns_for(width).plot
    at_ns = source.last_ns if at_ns is None else at_ns
    slot_ns = column_ns(window_s, source.last_ns - source.first_ns, plot)
    frame = source.frame(at_ns, slot_ns * plot, plot, first_column_ns(at_ns, source.first_ns, slot_ns, plot))
    state = ScreenState(
        theme=theme or Theme(), playhead=Playhead(at_ns=at_ns, following=False), replay=True, view=view
    )
    at = layout.columns_for(width)
    return Drawing(
        frame, source, state, scales_for(frame, state, {}), width, height, at, marks_of(frame, at.plot)
    )


def load(seconds: int, rate_rps: int = 4, ttft_ms: float = 100.0) -> Iterator[Any]:
    """Ticks of one worker from 0 s on, each request with its first token in its own tick."""
    yield LoadChange(t_ns=1, change="start", rate_rps=float(rate_rps), label=f"start at {rate_rps} rps")
    for i in range(1, seconds * 4 + 1):
        counts = SketchCounts()
        for _ in range(rate_rps // 4):
            counts.add(int(ttft_ms * 1e6))
        ttft = counts.take()
        n = rate_rps // 4
        yield Tick(
            t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, due=n, sent=n, succeeded=n, chunks=20 * n,
            output_tokens=20 * n, input_tokens=100 * n, in_flight=n, rate_rps=float(rate_rps),
            ttft_from_due=ttft, ttft_from_sent=ttft,
        )  # fmt: skip


def request(index: int, due_ns: int, sent_ns: int, first_ns: int, end_ns: int) -> Request:
    return Request(
        index, 0, due_ns, sent_ns, first_token_ns=first_ns, last_token_ns=end_ns, end_ns=end_ns,
        status=200, input_tokens=100, output_tokens=20, chunks=20,
    )  # fmt: skip


def gpu_records(
    gpus: int, seconds: int, *, hosts: tuple[str, ...] = ("node1",), name: str = "NVIDIA H100 80GB HBM3"
) -> Iterator[Any]:
    """GPUs read at 4 Hz, everything that can be read: the third idles, the fourth is hot and held back in the
    second half, the last but one hits its power cap."""
    each = -(-gpus // len(hosts))
    keys = [f"GPU-{k}" for k in range(gpus)]
    devices = [
        GpuDevice(
            key,
            k % each,
            name,
            hosts[k // each],
            80 * GIB,
            700.0,
            1980.0,
            2619.0,
            serves_target=k % 4 != 2 or None,
        )
        for k, key in enumerate(keys)
    ]
    yield GpuDevices(0, "nvml", devices, driver="570.1")
    for i in range(1, seconds * 4 + 1):
        late = i > seconds * 2
        samples = []
        for k, key in enumerate(keys):
            idle, hot, capped = k % 8 == 2, k % 8 == 3 and late, k % 8 == 6
            busy = 4.0 if idle else 88.0 + (i + k) % 9
            samples.append(
                GpuSample(
                    key, busy, (12 if idle else 60 + i // 12 % 10) * GIB, GIB // 2, 80 * GIB,
                    90.0 if idle else 698.0 if capped else 520.0 + (i * 7 + k) % 60,
                    temperature_c=41.0 if idle else 86.0 if hot else 60.0 + i % 5,
                    sm_clock_mhz=1980.0 if idle or not hot else 1400.0, memory_clock_mhz=2619.0,
                    energy_j=100.0 * i, sm_active_pct=busy * 0.7, tensor_active_pct=busy * 0.4,
                    dram_active_pct=busy * 0.6,
                    throttle=["thermal"] if hot else ["power cap"] if capped else [],
                    throttled_pct={"power cap": 35.0 if capped else 0.0, "thermal": 60.0 if hot else 0.0},
                    nvlink_rx_bytes_per_s=(20.0 + i % 10) * 1e9, nvlink_tx_bytes_per_s=(22.0 + i % 7) * 1e9,
                    pcie_rx_bytes_per_s=1.5e9, pcie_tx_bytes_per_s=0.8e9,
                    processes=[GpuProcess(4000 + k, 60 * GIB, "vllm::worker")] if i % 4 == 1 else None,
                )
            )  # fmt: skip
        yield GpuSamples(i * TICK_NS - 1000, 900_000, "nvml", samples)
