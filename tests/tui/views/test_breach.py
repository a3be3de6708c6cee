"""The colours of a breach, orange first of all, are of what is above a target or at a limit, and of nothing else."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from rich.color import Color

from loadgen.records import TICK_NS
from sessions.frame.request_list import RequestList
from telemetry.records import GpuDevice, GpuDevices, GpuSample, GpuSamples, ServerSample
from tests.sessions.conftest import make
from tests.sessions.timeline.folding import folded
from tests.tui.views.recorded import Recorded, drawing_of
from tui.controls.keys import VIEWS as NAMES
from tui.draw.layout import overview_columns
from tui.draw.rows import Row
from tui.draw.theme import Theme
from tui.plots.phases import PHASES
from tui.views.views import VIEWS, whole

BREACH = (
    *("warn", "bad", "banner", "badge", "alarm", "alert", "over50", "over95", "over99"),
    *("late_1", "late_2", "late_3", "late_4", "point_late", "meter_warm", "meter_hot", "gpu_limit"),
    *("limit_memory", "limit_chip", "limit_server", "mark_warning", "mark_error", "line_warning", "line_error"),
)  # fmt: skip
SIZES = [(80, 24), (120, 40), (200, 60)]
S = 1_000_000_000


class Looked(Recorded):
    """With its requests, which have all been read."""

    requests_read = 1.0

    @property
    def request_list(self) -> RequestList:
        return RequestList(self.requests)


def looked(*, slo: str, kv_pct: float, waiting: float, power_w: float, heat_c: float) -> Looked:
    run = make(seconds=30.0, rate_rps=20.0, ended=False)
    telemetry: list[Any] = [GpuDevices(1, "nvml", [GpuDevice(name, at) for at, name in enumerate("ab")])]
    for i in range(4, 4 * 33):
        t_ns = i * TICK_NS
        telemetry.append(ServerSample(t_ns, 1, "m", running=8.0, waiting=waiting, kv_pct=kv_pct))
        gpus = [
            GpuSample(
                name, 60.0, memory_used_bytes=40 << 30, memory_total_bytes=80 << 30, power_w=power_w,
                power_limit_w=700.0, temperature_c=heat_c, sm_clock_mhz=1980.0, sm_active_pct=50.0,
                dram_active_pct=40.0,
            )
            for name in "ab"
        ]  # fmt: skip
        telemetry.append(GpuSamples(t_ns, 1, "nvml", gpus))
    config = msgspec.structs.replace(run.manifest.config, slo=[slo])
    source = Looked(
        folded(*run.records, *telemetry), msgspec.structs.replace(run.manifest, config=config), live=True
    )
    source.curve.at(source.last_ns)
    while source.poll():
        pass
    return source


HEALTHY = {"slo": "ttft.p95<60s", "kv_pct": 50.0, "waiting": 0.0, "power_w": 400.0, "heat_c": 60.0}


@pytest.fixture(scope="module")
def healthy() -> Looked:
    return looked(**HEALTHY)


@pytest.fixture(scope="module")
def missed() -> Looked:
    return looked(slo="ttft.p95<1ms", kv_pct=99.0, waiting=60.0, power_w=690.0, heat_c=88.0)


def rows_of(source: Looked, view: str, size: tuple[int, int]) -> list[Row]:
    at_ns = source.last_ns - S
    drawing = drawing_of(source, size, at_ns=at_ns)
    if view == "overview":
        plot = overview_columns(size[0]).plot
        drawing = replace(drawing, frame=source.frame(at_ns, 60 * S // plot * plot, plot))
    return whole(replace(drawing, screen_state=replace(drawing.screen_state, view=view)), VIEWS.get(view))


def roles_of(rows: list[Row]) -> Iterator[str]:
    """Of every cell that is seen: a role over another one is both of them."""
    for row in rows:
        for text, role in row:
            if text.strip() or role.startswith(("badge", "limit_", "alarm", "alert", "banner")):
                yield from role.split("/")


@pytest.mark.parametrize("view", NAMES)
@pytest.mark.parametrize("size", SIZES)
def test_where_all_is_well_nothing_has_the_role_of_a_breach(healthy, view, size):
    rows = rows_of(healthy, view, size)
    seen = set(roles_of(rows))
    assert len(seen) > 5
    assert not seen & set(BREACH), [span for row in rows for span in row if span[1] in BREACH]


def is_orange(colour: Color | None) -> bool:
    """Of a hue from 20 to 45 degrees, and not pale: 30 is orange, 60 yellow."""
    if colour is None or colour.is_default:
        return False
    hue, saturation, _ = colorsys.rgb_to_hsv(*colour.get_truecolor().normalized)
    return 20 <= 360 * hue <= 45 and saturation > 0.6


def test_where_all_is_well_nothing_is_orange(healthy):
    """In the palette for dark terminals: on white, and for eyes that see no red or green, p95 has to be as dark as
    a warning, or one of few colours."""
    styles = Theme().styles()
    assert is_orange(styles["warn"].color)
    assert is_orange(styles["over50"].color)
    for view in NAMES:
        seen = set(roles_of(rows_of(healthy, view, (120, 40))))
        assert not [role for role in seen if is_orange(styles[role].color) or is_orange(styles[role].bgcolor)]


def test_no_part_of_a_request_that_is_well_is_orange(healthy):
    styles = Theme().styles()
    assert not [phase for phase in PHASES if is_orange(styles[phase].color)]
    assert {"phase_first", "phase_tokens"} <= set(roles_of(rows_of(healthy, "requests", (120, 40))))


OWN = {"overview": "over50", "latency": "late_4", "curve": "bad", "gpus": "bad", "server": "bad"}
"""What a view has of it by itself, below the head that all have; requests and events are lists of all sorts."""


@pytest.mark.parametrize("view", NAMES)
@pytest.mark.parametrize("size", SIZES)
def test_where_a_target_is_missed_and_all_is_full_every_view_says_so(missed, view, size):
    rows = rows_of(missed, view, size)
    assert "alarm" in set(roles_of(rows[:1]))
    if view in OWN:
        assert OWN[view] in set(roles_of(rows[4:]))
