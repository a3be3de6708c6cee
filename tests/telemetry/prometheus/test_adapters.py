"""Texts of each kind of server to records; expected values are read off the fixture files by eye."""

from __future__ import annotations

from pathlib import Path

import pytest

from telemetry.prometheus.adapters import ADAPTERS, NAMES
from telemetry.prometheus.exposition import Scrape, parse
from telemetry.records import GpuDevices, GpuSamples, ServerSample

FIXTURES = Path(__file__).parent / "fixtures"
SCRAPE = Scrape(t_ns=100, took_ns=7, source="x")


def records(text):
    samples = parse(text, NAMES).samples
    return [record for adapter in ADAPTERS.values() for record in adapter.read(samples, SCRAPE)]


def server(text):
    (record,) = records(text)
    assert isinstance(record, ServerSample)
    assert (record.t_ns, record.took_ns, record.source) == (100, 7, "x")
    return record


def of_fixture(name):
    return (FIXTURES / name).read_text()


@pytest.mark.parametrize("kind", sorted(set(ADAPTERS)))
def test_every_adapter_has_a_text_that_only_it_understands(kind):
    samples = parse(of_fixture(f"{kind}.txt"), NAMES).samples
    assert [name for name, adapter in ADAPTERS.items() if adapter.read(samples, SCRAPE)] == [kind]


def test_an_idle_vllm_shows_zeros_not_gaps():
    got = server(of_fixture("vllm.txt"))
    assert (got.running, got.waiting, got.kv_pct, got.preemptions) == (0.0, 0.0, 0.0, 0.0)
    assert (got.prompt_tokens, got.output_tokens) == (17.0, 22.0)


def test_engines_of_one_vllm_are_summed_and_the_fullest_cache_counts():
    got = server(
        'vllm:num_requests_running{engine="0"} 3\nvllm:num_requests_running{engine="1"} 5\n'
        'vllm:kv_cache_usage_perc{engine="0"} 0.25\nvllm:kv_cache_usage_perc{engine="1"} 0.75\n'
    )
    assert (got.running, got.kv_pct, got.waiting) == (8.0, 75.0, None)


def test_an_older_vllm_has_its_cache_under_the_older_name():
    assert server("vllm:gpu_cache_usage_perc 0.5\n").kv_pct == 50.0


def test_sglang_ranks_that_work_as_one_count_once_and_priorities_not_twice():
    got = server(of_fixture("sglang.txt"))
    assert (got.running, got.waiting, got.kv_pct, got.preemptions) == (11.0, 3.0, 50.0, 2.0)
    assert (got.prompt_tokens, got.output_tokens) == (8192.0, 4096.0)


def test_tgi_has_no_cache_gauge_and_its_tokens_are_those_of_finished_requests():
    got = server(of_fixture("tgi.txt"))
    assert (got.running, got.waiting, got.kv_pct, got.preemptions) == (4.0, 9.0, None, None)
    assert (got.prompt_tokens, got.output_tokens) == (5632.0, 8123.0)


def test_llama_cpp():
    got = server(of_fixture("llamacpp.txt"))
    assert (got.running, got.waiting, got.kv_pct) == (0.0, 0.0, None)
    assert (got.prompt_tokens, got.output_tokens) == (10238.0, 60388.0)


def test_dcgm_of_two_hosts_in_the_units_of_the_records():
    devices, samples = records(of_fixture("dcgm.txt"))
    assert isinstance(devices, GpuDevices)
    assert isinstance(samples, GpuSamples)
    assert [(d.gpu, d.host, d.index, d.name) for d in devices.devices] == [
        ("GPU-a0", "node-a", 0, "NVIDIA H100 80GB HBM3"),
        ("GPU-a0/7", "node-a", 0, "NVIDIA H100 80GB HBM3"),
        ("GPU-a1", "node-a", 1, "NVIDIA H100 80GB HBM3"),
        ("GPU-b0", "node-b", 0, "NVIDIA L40S"),
    ]
    assert (devices.driver, devices.simulated) == ("550.54.15", False)
    assert devices.devices[0].power_limit_w == 700.0
    a0, _, a1, b0 = samples.gpus
    # The MIG instance of GPU-a0 (5 %) is not taken for the whole.
    assert (a0.util_pct, a1.util_pct, b0.util_pct) == (97.0, 41.0, None)
    assert a0.memory_used_bytes == 70000 * 1024 * 1024
    assert a0.memory_total_bytes == (70000 + 11000 + 559) * 1024 * 1024
    assert b0.memory_total_bytes == 46068 * 1024 * 1024
    # Used is known, free is not: no total is made up.
    assert (a1.memory_used_bytes, a1.memory_total_bytes) == (0, None)
    assert (a0.power_w, b0.power_w, a0.temperature_c) == (612.354, None, 64.0)
    assert (a0.sm_clock_mhz, a0.memory_clock_mhz) == (1755.0, 2619.0)
    assert a0.energy_j == pytest.approx(123456.789)


def test_gpus_of_the_simulator_are_marked_simulated():
    devices, _ = records('ttftop_simulated 1\nDCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-s"} 5\n')
    assert devices.simulated is True


def test_gpus_without_uuid_are_told_apart_by_host_and_index():
    _, samples = records(
        'DCGM_FI_DEV_GPU_UTIL{gpu="0",Hostname="a"} 1\nDCGM_FI_DEV_GPU_UTIL{gpu="0",Hostname="b"} 2\n'
    )
    assert [(gpu.gpu, gpu.util_pct) for gpu in samples.gpus] == [("x#a:0", 1.0), ("x#b:0", 2.0)]


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-1", pytest.param("9" * 1000, id="a thousand digits")])
def test_a_number_that_cannot_be_is_a_gap(value):
    got = server(f"vllm:num_requests_running {value}\nvllm:num_requests_waiting 2\n")
    assert (got.running, got.waiting) == (None, 2.0)


def test_text_from_an_exporter_cannot_steer_the_terminal():
    devices, _ = records('DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-\x1b[2J",modelName="\x9b31mX"} 5\n')
    assert (devices.devices[0].gpu, devices.devices[0].name) == ("GPU-?[2J", "?31mX")


def test_only_wanted_lines_are_parsed_so_a_broken_line_elsewhere_does_no_harm():
    text = "some_other_metric{broken 1\nvllm:num_requests_running 4\nvllm:num_requests_running_max 9\n"
    assert [(sample.name, sample.value) for sample in parse(text, NAMES).samples] == [
        ("vllm:num_requests_running", 4.0)
    ]
    assert server(text).running == 4.0


def test_a_broken_wanted_line_is_named_not_guessed():
    page = parse('vllm:num_requests_waiting 2\nvllm:num_requests_running{engine="0 4\n', NAMES)
    assert page.bad_lines == [2]
    assert server('vllm:num_requests_waiting 2\nvllm:num_requests_running{engine="0 4\n').running is None


def test_vllms_own_histograms_and_prefix_counters_are_taken():
    got = server(of_fixture("vllm.txt"))
    assert (got.prefix_queried_tokens, got.prefix_hit_tokens, got.cached_tokens, got.finished) == (
        17,
        0,
        0,
        4,
    )
    assert got.ttft.bounds_s[:4] == [0.001, 0.005, 0.01, 0.02]
    assert len(got.ttft.counts) == len(got.ttft.bounds_s) + 1 == 23
    assert got.ttft.counts[:10] == [0, 0, 0, 2, 3, 3, 3, 3, 4, 4]
    assert got.ttft.sum_s == 0.164279
    assert (got.itl.counts[0], got.itl.counts[-1], got.itl.sum_s) == (17, 18, 0.131502)
    assert (got.e2e.counts[-1], got.queue.counts[-1], got.prefill.counts[-1]) == (4, 4, 4)
    assert (got.queue.sum_s, got.prefill.sum_s) == (0.000219, 0.055049)


def test_aborted_and_failed_requests_did_not_finish():
    got = server(
        'vllm:request_success_total{finished_reason="stop"} 5\n'
        'vllm:request_success_total{finished_reason="abort"} 2\n'
        'vllm:request_success_total{finished_reason="error"} 1\n'
    )
    assert got.finished == 5


def test_sglang_tells_its_prefix_share_and_counts_aborted_requests_apart():
    got = server(of_fixture("sglang.txt"))
    # The mean of two engines; 40 requests, 3 of them aborted.
    assert (got.prefix_hit_pct, got.cached_tokens, got.finished) == (50.0, 1024, 37)
    assert (got.ttft.bounds_s, got.ttft.counts, got.ttft.sum_s) == ([0.1, 0.4], [10, 39, 40], 4.5)


def test_tgi_tells_times_of_whole_requests_only():
    got = server(of_fixture("tgi.txt"))
    assert (got.finished, got.e2e.counts, got.queue.sum_s) == (43, [12, 40, 44], 0.5)
    assert (got.ttft, got.itl) == (None, None)


def test_llama_cpp_tells_its_cached_tokens():
    assert server(of_fixture("llamacpp.txt")).cached_tokens == 55689


def test_an_older_vllm_has_its_token_times_under_the_older_name():
    name = "vllm:time_per_output_token_seconds"
    assert server(f'{name}_bucket{{le="0.5"}} 2\n{name}_bucket{{le="+Inf"}} 3\n').itl.counts == [2, 3]


def buckets(*rows):
    return "".join(
        f'vllm:time_to_first_token_seconds_bucket{{engine="{engine}",le="{le}"}} {count}\n'
        for engine, le, count in rows
    )


def test_histograms_of_several_engines_are_summed():
    text = buckets((0, "0.5", 1), (0, "+Inf", 4), (1, "0.5", 2), (1, "+Inf", 2))
    got = server("vllm:num_requests_running 0\n" + text).ttft
    assert (got.bounds_s, got.counts, got.sum_s) == ([0.5], [3, 6], None)
    sums = "".join(
        f'vllm:time_to_first_token_seconds_sum{{engine="{n}"}} {s}\n' for n, s in enumerate((1.25, 0.5))
    )
    assert server("vllm:num_requests_running 0\n" + text + sums).ttft.sum_s == 1.75


@pytest.mark.parametrize(
    "rows",
    [
        [(0, "0.5", 1)],  # no infinite bucket
        [(0, "0.5", 5), (0, "+Inf", 4)],  # falls
        [(0, "x", 1), (0, "+Inf", 4)],
        [(0, "0.5", "NaN"), (0, "+Inf", 4)],
        [(0, "0.5", 3), (0, "+Inf", 3), (1, "0.6", 0), (1, "+Inf", 0), (2, "0.55", -1)],
    ],
)
def test_buckets_that_make_no_sense_are_no_histogram(rows):
    assert server("vllm:num_requests_running 0\n" + buckets(*rows)).ttft is None


def test_dcgm_tells_activity_traffic_and_reasons_in_the_units_of_the_records():
    _, samples = records(of_fixture("dcgm.txt"))
    a0, _, a1, b0 = samples.gpus
    # 1.02 of 1 has been seen on real ones: shown as all of it.
    assert (a0.sm_active_pct, a0.tensor_active_pct, a0.dram_active_pct) == (100.0, 41.2, 80.0)
    assert (a0.pcie_tx_bytes_per_s, a0.pcie_rx_bytes_per_s) == (123456, 654321)
    assert (a0.memory_temperature_c, a0.throttle) == (81, ["power cap"])
    # 0 degrees is how a board without the sensor says so.
    assert (b0.memory_temperature_c, b0.throttle, a1.sm_active_pct) == (None, None, None)
