"""What telemetry writes, the reader of sessions takes: whatever a page, a node or a driver says."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sessions.store.parse import BadLine, parse
from telemetry.bounds import believable
from telemetry.prometheus.adapters import ADAPTERS, NAMES
from telemetry.prometheus.dcgm import MOST_GPUS
from telemetry.prometheus.exposition import Scrape
from telemetry.prometheus.exposition import parse as parse_page
from telemetry.records import (
    GpuDevice,
    GpuDevices,
    GpuEvent,
    GpuProcess,
    GpuSample,
    GpuSamples,
    Histogram,
    HostSample,
    ServerSample,
)

encode = msgspec.json.encode


def readable(record) -> bool:
    try:
        return parse(encode(record)) == record
    except BadLine:
        return False


VALUES = st.one_of(
    st.floats().map(repr),
    st.integers(-(10**25), 10**25).map(str),
    st.sampled_from(["NaN", "+Inf", "-1", "1e19", "1e308", "1e999", "0x5", "", "abc", "1e15", "1e-320"]),
)
LABELS = st.sampled_from(
    [
        *("", '{gpu="0",UUID="g",modelName="H"}', '{gpu="0",UUID="g",GPU_I_ID="7",GPU_I_PROFILE="1g"}'),
        *('{engine="0"}', '{le="0.1"}', '{le="+Inf"}', '{le="1e300"}', '{finished_reason="stop"}'),
    ]
)
LINES = st.tuples(st.sampled_from(sorted(NAMES)), LABELS, VALUES).map(lambda line: "{}{} {}".format(*line))


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, max_size=30))
@example([f'vllm:time_per_output_token_seconds_bucket{{le="{le}"}} 0.0' for le in ("1e300", "+Inf")])
def test_any_page_becomes_records_that_a_session_can_hold(lines):
    page = parse_page("\n".join(lines), NAMES)
    for adapter in ADAPTERS.values():
        for record in adapter.read(page.samples, Scrape(1, 1, "x")):
            assert readable(record), record


@pytest.mark.parametrize(
    "line",
    [
        "vllm:num_requests_running -5",
        "vllm:num_requests_waiting 1e19",
        "vllm:kv_cache_usage_perc 1e19",
        "vllm:kv_cache_usage_perc -1",
        "vllm:generation_tokens_total 1e20",
        'DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="g"} 1e19',
        'DCGM_FI_DEV_FB_USED{gpu="0",UUID="g"} 1e15',
        'DCGM_FI_DEV_SM_CLOCK{gpu="0",UUID="g"} -3',
    ],
)
def test_a_value_that_cannot_be_is_a_gap_of_that_value_alone(line):
    page = parse_page(
        f'vllm:num_preemptions_total 4\nDCGM_FI_DEV_GPU_UTIL{{gpu="0",UUID="g"}} 5\n{line}\n', NAMES
    )
    records = [r for adapter in ADAPTERS.values() for r in adapter.read(page.samples, Scrape(1, 1, "x"))]
    assert all(readable(record) for record in records)
    (server,) = [record for record in records if isinstance(record, ServerSample)]
    assert server == ServerSample(1, 1, "x", preemptions=4)
    (gpus,) = [record for record in records if isinstance(record, GpuSamples)]
    assert gpus.gpus == [GpuSample("g", util_pct=5)]


def test_a_page_of_more_gpus_than_a_line_of_a_session_holds_gives_the_first():
    name = "n" * 200
    lines = [
        f'DCGM_FI_DEV_GPU_UTIL{{gpu="{i}",UUID="GPU-{i}-{name}",modelName="{name}",Hostname="{name}"}} 5'
        for i in range(9000)
    ]
    records = ADAPTERS["dcgm"].read(parse_page("\n".join(lines), NAMES).samples, Scrape(1, 1, "x"))
    assert all(readable(record) for record in records)
    assert len(records[0].devices) == len(records[1].gpus) == MOST_GPUS


NUMBERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0, 1, 10**12, 10**12 + 1, 1 << 60, 315_576_000 * 10**9]),
)
FLOATS = st.one_of(
    st.none(), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([1e18, 1.1e18, -1e18])
)


@st.composite
def anything(draw):
    """Records as another node may send them."""
    t_ns, took_ns = draw(NUMBERS), draw(NUMBERS)
    gpu = GpuSample(
        "g",
        power_w=draw(FLOATS),
        memory_used_bytes=draw(st.none() | NUMBERS),
        after_ns=draw(st.none() | NUMBERS),
        throttled_pct=draw(
            st.none()
            | st.dictionaries(st.text(max_size=3), FLOATS.filter(lambda x: x is not None), max_size=2)
        ),
        processes=draw(st.none() | st.lists(st.builds(GpuProcess, NUMBERS, NUMBERS), max_size=2)),
    )
    return draw(
        st.sampled_from(
            [
                GpuSamples(
                    t_ns,
                    took_ns,
                    "s",
                    [gpu],
                    cpu_ns=draw(st.none() | NUMBERS),
                    age_ns=draw(st.none() | NUMBERS),
                ),
                HostSample(
                    t_ns, took_ns, "s", cpu_pct=draw(FLOATS), memory_used_bytes=draw(st.none() | NUMBERS)
                ),
                GpuEvent(t_ns, "s", "g", "xid", code=draw(NUMBERS), count=draw(NUMBERS)),
                GpuDevices(t_ns, "s", [GpuDevice("g", draw(NUMBERS), memory_total_bytes=draw(NUMBERS))]),
                ServerSample(
                    t_ns, took_ns, "s", ttft=Histogram([0.1], [draw(NUMBERS), draw(NUMBERS)], draw(FLOATS))
                ),
            ]
        )
    )


@settings(max_examples=500, deadline=None)
@given(anything())
def test_what_is_believed_of_another_node_can_be_read_back(record):
    if believable(record):
        assert readable(record), record


def test_what_a_node_really_says_is_believed():
    for record in (
        GpuSamples(
            1, 2, "s", [GpuSample("g", util_pct=50.0, temperature_c=-5.0, throttled_pct={"thermal": 0.0})]
        ),
        HostSample(1, 2, "s", "h", 5.0, 4, 1.5, 1 << 40, 1 << 41),
        GpuEvent(1, "s", "g", "xid", code=79),
        ServerSample(1, 2, "s", ttft=Histogram([0.1, 1.0], [1, 2, 3], 0.5)),
    ):
        assert believable(record)
        assert readable(record)


def test_a_record_longer_than_a_line_of_a_session_is_not_believed():
    assert not believable(
        GpuDevices(1, "s", [GpuDevice(f"g{i}", i, "n" * 300, "h" * 300) for i in range(2000)])
    )
