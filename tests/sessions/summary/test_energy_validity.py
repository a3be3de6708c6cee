"""Whether a run's joules may be relied on: each reason against them, worked by hand."""

from __future__ import annotations

from typing import Any

import pytest

from sessions.summary.energy_validity import energy_validity
from sessions.summary.telemetry_schema import EnergyValidity
from telemetry.records import GpuDevice, GpuDevices, GpuProcess, GpuSample, GpuSamples
from tests.sessions.timeline.folding import folded

S = 1_000_000_000


def said(*records: Any, from_s: float = 0, to_s: float = 20) -> EnergyValidity:
    timeline = folded(*records)
    found = energy_validity(timeline.gpus, timeline.newest_ns, round(from_s * S), round(to_s * S))
    assert found is not None
    return found


def devices(*known: GpuDevice) -> GpuDevices:
    return GpuDevices(t_ns=1, source="nvml", devices=list(known))


def read_at(times_s: Any, *gpus: str, **more: Any) -> list[GpuSamples]:
    """Readings of 100 W; `joules` times the seconds is what the counter says, 0 for no counter."""
    joules, processes = more.get("joules", 100.0), more.get("processes")
    return [
        GpuSamples(
            t_ns=round(t * S), took_ns=1, source="nvml",
            gpus=[
                GpuSample(gpu, power_w=100.0, energy_j=joules * t + 7 if joules else None, processes=processes)
                for gpu in gpus
            ],
        )
        for t in times_s
    ]  # fmt: skip


TWO = devices(GpuDevice("a", 0, "H100"), GpuDevice("b", 1, "H100"))
ONE = devices(GpuDevice("a", 0, "H100"))


def test_joules_with_readings_all_along_and_a_counter_that_agrees_are_valid() -> None:
    found = said(TWO, *read_at(range(23), "a", "b"), from_s=1.5, to_s=21)
    assert (found.valid, found.reasons, found.gpus_without_reading) == (True, [], 0)
    assert (found.window, found.window_s) == ("from the start of the load to the last answer", 19.5)
    assert (found.longest_gap_s, found.unsampled_share) == (1.0, 0.0)
    assert found.counter_off_share == pytest.approx(0.0)


def test_a_hole_in_the_readings_of_power_is_a_reason_with_its_share() -> None:
    found = said(ONE, *read_at([*range(6), *range(11, 21)], "a", joules=0))
    assert found.reasons == [
        "6.0 of 20.0 s are not known (30.0%, allowed 1%): no readings, or a counter that went back"
    ]
    assert (found.longest_gap_s, found.unsampled_share) == (6.0, pytest.approx(6 / 20))


def test_power_that_is_only_read_each_five_seconds_is_a_guess_between() -> None:
    found = said(ONE, *read_at(range(0, 25, 5), "a", joules=0))
    assert found.reasons == ["20.0 of 20.0 s lie between readings more than 3 s apart (100.0%, allowed 1%)"]


def test_a_counter_goes_on_counting_so_only_its_ends_matter() -> None:
    seldom = [0, 1, *range(11, 31, 10), 39, 40]
    assert said(ONE, *read_at(seldom, "a"), to_s=40).reasons == []
    # From 1 to 11 s there is no reading: the run began at 4 s, 7 s before the next one.
    found = said(ONE, *read_at(seldom, "a"), from_s=4, to_s=39.5)
    assert found.reasons == [
        "7.0 of 35.5 s at the ends lie between readings more than 3 s apart (19.7%, allowed 1%)"
    ]


@pytest.mark.parametrize(("joules", "words"), [(94.0, "6.0% less"), (106.0, "6.0% more")])
def test_a_counter_against_its_own_power_integrated(joules: float, words: str) -> None:
    found = said(TWO, *read_at(range(22), "a", "b", joules=joules))
    assert (
        found.reasons[0]
        == f"GPU 0: its counter says {words} than its power integrated (allowed 5%), and so of 1 more"
    )
    assert found.counter_off_share == pytest.approx(joules / 100 - 1)
    assert said(TWO, *read_at(range(22), "a", "b", joules=104.0)).valid


def ramped(seconds: float, lag_s: float, more: float = 1.0) -> list[GpuSamples]:
    """Four readings a second of a GPU that idles at 100 W, draws 600 W for so long from 1 s on, and idles. Its
    counter knows, `more` times; its power is the mean of `lag_s` before each reading."""

    def joules(t: float) -> float:
        return 100.0 * t + 500.0 * min(max(t - 1.0, 0.0), seconds)

    times = [n / 4 for n in range(1, round(4 * (seconds + 4)))]
    return [
        GpuSamples(
            t_ns=round(t * S), took_ns=1, source="nvml",
            gpus=[GpuSample("a", power_w=(joules(t) - joules(t - lag_s)) / lag_s, energy_j=more * joules(t))],
        )
        for t in times
    ]  # fmt: skip


@pytest.mark.parametrize("seconds", [2.0, 3.3, 10.0, 60.0])
def test_a_meter_that_is_late_is_no_reason_against_a_short_run_and_a_wrong_counter_is_against_a_long_one(
    seconds: float,
) -> None:
    """Two seconds of 600 W after idling at 100 W: the mean of the last second knows a fifth less of it."""
    late = said(ONE, *ramped(seconds, 1.0), from_s=1, to_s=1 + seconds)
    assert late.counter_off_share is not None
    assert late.counter_off_allowed_share is not None
    assert (late.counter_off_share > 0.05) is (seconds < 10)
    assert (late.valid, late.reasons) == (True, [])
    assert late.counter_off_share < late.counter_off_allowed_share < 0.05 + 1.0 / seconds
    wrong = said(ONE, *ramped(seconds, 1.0, more=1.12), from_s=1, to_s=1 + seconds)
    assert wrong.valid is (seconds < 10)


def test_power_that_does_not_swing_is_compared_as_closely_in_a_short_run_as_in_a_long_one() -> None:
    short = said(ONE, *read_at([n / 4 for n in range(20)], "a", joules=106.0), from_s=1, to_s=3)
    assert short.reasons == ["GPU 0: its counter says 6.0% more than its power integrated (allowed 5%)"]
    assert short.counter_off_allowed_share == pytest.approx(0.05)


def test_a_gpu_that_told_nothing_is_named() -> None:
    found = said(TWO, *read_at(range(22), "a"))
    assert found.reasons == ["no energy was read of GPU 1: joules are without it"]
    assert found.gpus_without_reading == 1
    nothing = said(TWO)
    assert (nothing.valid, nothing.longest_gap_s, nothing.unsampled_share) == (False, None, 1.0)


def test_a_gpu_on_which_another_program_computes_is_not_only_the_servers() -> None:
    both = [GpuProcess(1, name="VLLM::Worker_TP0"), GpuProcess(2, name="ollama")]
    found = said(ONE, *read_at(range(22), "a", processes=both))
    assert found.reasons == ["GPU 0 is not only the server's: VLLM and ollama compute there"]


def test_the_ranks_of_one_server_and_processes_without_a_name_are_nobody_else() -> None:
    ranks = [
        GpuProcess(1, name="VLLM::Worker_TP0"),
        GpuProcess(2, name="VLLM::EngineCore"),
        GpuProcess(3),
    ]
    assert said(ONE, *read_at(range(22), "a", processes=ranks)).valid


def test_who_computed_there_before_the_load_and_was_gone_is_no_reason() -> None:
    early = read_at([0], "a", processes=[GpuProcess(2, name="ollama")])
    later = read_at(range(1, 22), "a", processes=[GpuProcess(1, name="vllm")])
    assert said(ONE, *early, *later, from_s=2).valid
    assert not said(ONE, *early, *later, from_s=0).valid


def test_the_meter_of_a_gpu_that_is_cut_into_instances_is_of_all_of_them() -> None:
    parts = [
        GpuDevice("a", 0, "H100"),
        GpuDevice("a/1", 0, mig="1g.10gb", parent="a", serves_target=True),
        GpuDevice("a/2", 0, mig="1g.10gb", parent="a", serves_target=False),
    ]
    found = said(devices(*parts), *read_at(range(22), "a", "a/1", "a/2"))
    assert found.reasons == ["GPU 0 is cut into 2 MIG instances, and its meter is of all of them"]


def test_without_any_gpu_there_is_nothing_to_say() -> None:
    timeline = folded()
    assert energy_validity(timeline.gpus, 20 * S, 0, 20 * S) is None
