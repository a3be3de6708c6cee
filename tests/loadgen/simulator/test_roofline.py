"""Costs against arithmetic on the data sheets' figures, and the servers of more GPUs than one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from loadgen.clock import Clock
from loadgen.simulator import metrics
from loadgen.simulator.chips import A10, A100, H100
from loadgen.simulator.engine import Engine
from loadgen.simulator.gpu import GpuModel
from loadgen.simulator.profiles import PROFILES
from loadgen.simulator.roofline import Engine as Constants
from loadgen.simulator.roofline import Model, costs, limits
from loadgen.simulator.roofline_profiles import MODELS

MODEL = Model(
    served_name="made-up",
    parameters=10e9,
    weights_bytes=10_000_000_000,
    eight_bit=True,
    layers=40,
    kv_heads=8,
    head_size=128,
    context_tokens=8192,
)
CONSTANTS = Constants(
    flops_share=0.5,
    bandwidth_share=0.8,
    step_ms=2.0,
    sequence_ms=0.01,
    parallel_ms=1.0,
)
EIGHT = ("8xh100-llama3.1-70b-fp8-tp8", "8xh100-llama3.1-70b-fp8-tp2-dp4")


class Stopped(Clock):
    """Moved by hand."""

    at_ns = 0
    origin_ns = 1 << 62
    """So that no alarm rings while a test runs."""

    def now_ns(self) -> int:
        return self.at_ns


def test_a_token_costs_two_operations_a_parameter_and_a_step_reads_all_weights() -> None:
    one = costs(H100, MODEL, 1, CONSTANTS)
    assert one.prefill_ms_per_token == pytest.approx(20e9 / (0.5 * 1979e12) * 1e3)
    assert one.decode_ms_per_sequence == pytest.approx(one.prefill_ms_per_token + 0.01)
    assert one.step_ms == pytest.approx(2.0 + 10e9 / (0.8 * 3.35e12) * 1e3)
    assert one.decode_ms_per_kv_token == pytest.approx(163_840 / (0.8 * 3.35e12) * 1e3)


def test_a_chip_without_8_bit_arithmetic_computes_in_16() -> None:
    assert costs(A100, MODEL, 1, CONSTANTS).prefill_ms_per_token == pytest.approx(20e9 / (0.5 * 312e12) * 1e3)


def test_a_model_of_16_bit_weights_computes_in_16_on_a_chip_that_has_8() -> None:
    assert costs(H100, replace(MODEL, eight_bit=False), 1, CONSTANTS).prefill_ms_per_token == pytest.approx(
        20e9 / (0.5 * 989e12) * 1e3
    )


def test_four_chips_share_the_work_and_pay_for_each_doubling() -> None:
    one, four = costs(H100, MODEL, 1, CONSTANTS), costs(H100, MODEL, 4, CONSTANTS)
    assert four.prefill_ms_per_token == pytest.approx(one.prefill_ms_per_token / 4)
    assert four.step_ms == pytest.approx(2.0 + 2 * 1.0 + (one.step_ms - 2.0) / 4)


def test_the_cache_is_what_weights_and_activations_leave() -> None:
    left = 2 * (0.9 * (80 << 30) - 2e9) - 10e9
    assert limits(H100, MODEL, 2, CONSTANTS).kv_tokens == int(left / (163_840 * 16)) * 16


def test_weights_that_do_not_fit_are_no_server() -> None:
    with pytest.raises(ValueError, match="mistral-nemo-2407 does not fit on 1 of A10 "):
        limits(A10, MODELS["nemo-12b"], 1, CONSTANTS)


async def scraped(name: str) -> dict[str, Metric]:
    """The metrics of a server in the midst of 8 requests."""
    clock = Stopped()
    engine = Engine(PROFILES[name], clock)
    engine.start()
    for _ in range(8):
        engine.submit(1000, 10, "length")
    clock.at_ns = 20_000_000  # within the first step
    text = metrics.text(metrics.exposition(engine)).decode()
    engine.close()
    return {family.name: family for family in text_string_to_metric_families(text)}


@pytest.mark.parametrize("name", EIGHT)
def test_eight_gpus_work_alike_but_not_the_same_and_all_say_that_they_are_simulated(name: str) -> None:
    families = asyncio.run(scraped(name))

    def of_gpus(field: str) -> list[float]:
        return [sample.value for sample in families[f"DCGM_FI_DEV_{field}"].samples]

    labels = [sample.labels for sample in families["DCGM_FI_DEV_GPU_UTIL"].samples]
    assert len({gpu["UUID"] for gpu in labels}) == 8
    assert all("(simulated)" in gpu["modelName"] for gpu in labels)
    assert of_gpus("GPU_UTIL") == [100] * 8
    assert len(set(of_gpus("FB_USED"))) == 1
    drawn = []
    for spec in PROFILES[name].gpus:
        gpu = GpuModel(spec, 0)
        gpu.begin(0, 60_000_000_000, load=0.7)
        drawn.append(gpu.read(60_000_000_000))
    assert len({(round(one.power_w, 1), round(one.temperature_c, 1)) for one in drawn}) == 8
    watts, degrees = [one.power_w for one in drawn], [one.temperature_c for one in drawn]
    assert max(watts) < 1.05 * min(watts)
    assert max(degrees) - min(degrees) < 6
    running = families["vllm:num_requests_running"].samples
    engines = PROFILES[name].replicas
    assert [s.labels["engine"] for s in running] == [str(number) for number in range(engines)]
    # Each engine's first step began when it had one request; the others wait for its end.
    assert [s.value for s in running] == [1] * engines
    waiting = families["vllm:num_requests_waiting"].samples
    assert [s.value for s in waiting] == [8 / engines - 1] * engines


def test_requests_go_to_the_engine_with_the_shortest_queue() -> None:
    engine = Engine(PROFILES["8xh100-llama3.1-70b-fp8-tp2-dp4"], Stopped())
    generations = [engine.submit(10, 5, "length") for _ in range(8)]
    assert [len(core.batch.running) + len(core.batch.waiting) for core in engine.cores] == [2, 2, 2, 2]
    engine.cancel(generations[0])
    assert engine.cores[0].stats.finished["abort"] == 1
    assert not engine.idle
