"""What shows between scrapes, over a real HTTP server whose text changes."""

from __future__ import annotations

from telemetry.prometheus.scrape import ScrapeTarget
from telemetry.prometheus.source import PrometheusSource
from telemetry.records import GpuEvent, GpuSamples, ServerSample


class Clock:
    def __init__(self):
        self.ns = 0

    def __call__(self):
        return self.ns


def opened(served, text):
    served.says(text)
    source, clock = PrometheusSource(ScrapeTarget(served.url)), Clock()
    return source, clock, source.open(clock)


def of(records, kind):
    return [record for record in records if isinstance(record, kind)]


def prefix(queried, hit):
    return f"vllm:prefix_cache_queries_total {queried}\nvllm:prefix_cache_hits_total {hit}\n"


def test_prefix_hits_are_a_share_of_what_was_looked_up_since_the_last_scrape(served):
    source, clock, records = opened(served, prefix(1000, 100))

    def then(queried, hit):
        served.says(prefix(queried, hit))
        clock.ns += 10**9
        return of(source.sample(clock), ServerSample)[0].prefix_hit_pct

    assert of(records, ServerSample)[0].prefix_hit_pct is None
    assert then(1400, 400) == 75.0
    assert then(1400, 400) is None  # nothing looked up
    assert then(10, 5) is None  # started anew
    assert then(20, 10) == 50.0
    source.close()


def test_the_age_of_an_exporters_values_is_how_long_they_have_been_the_same(served):
    text = 'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{gpu="0",UUID="GPU-a"}} {}\n'
    source, clock, records = opened(served, text.format(100))

    def age_s(value, seconds):
        served.says(text.format(value))
        clock.ns += seconds * 10**9
        return of(source.sample(clock), GpuSamples)[0].age_ns / 1e9

    assert of(records, GpuSamples)[0].age_ns == 0
    assert [age_s(100, 1), age_s(100, 28), age_s(250, 1), age_s(250, 5)] == [1, 29, 0, 5]
    source.close()


def test_a_simulated_gpu_has_no_age(served):
    text = 'ttftop_simulated 1\nDCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-a"} 5\n'
    source, _, records = opened(served, text)
    assert of(records, GpuSamples)[0].age_ns is None
    source.close()


def test_a_new_xid_of_an_exporter_is_an_event_and_an_old_one_is_not(served):
    text = 'DCGM_FI_DEV_XID_ERRORS{{gpu="3",UUID="GPU-a",hostname="node-b"}} {}\n'
    source, clock, records = opened(served, text.format(31))

    def then(code):
        served.says(text.format(code))
        clock.ns += 10**9
        return [(event.gpu, event.code, event.text) for event in of(source.sample(clock), GpuEvent)]

    assert of(records, GpuEvent) == []
    assert then(31) == []
    assert then(79) == [("GPU-a", 79, "GPU 3 of node-b: XID 79 (the GPU has fallen off the bus)")]
    assert then(79) == []
    assert then(0) == []
    assert then(9998) == [("GPU-a", 9998, "GPU 3 of node-b: XID 9998")]
    source.close()
