"""What more GPUs give, worked by hand."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from benchmarks.common.queue_model import Asked
from benchmarks.compare_verdict import recorded
from sessions.compare.blocks import Sums
from sessions.compare.compare import Recorded
from sessions.compare.scaling import scaling
from sessions.compare.schema import Scaling
from sessions.compare.stretch import Load, Stretch, Values


@pytest.fixture(scope="module")
def run() -> Recorded:
    return recorded(Asked(0.5, 30.0), 1)


def at(rps: float, tps: float | None, tpot_ms: float, failed: int = 0) -> Stretch:
    """Ten seconds of one load."""
    cells = np.ones(20)
    rates = {} if tps is None else {"output_tps": Sums(tps / 2 * cells, cells / 2)}
    values = Values(np.array([tpot_ms / 2, tpot_ms, 3 * tpot_ms]), np.array([0, 1, 2]))
    return Stretch(
        f"{rps:g}", Load("rps", rps, "256", "64"), None, 10.0, 20, 1, {"ttft": values, "tpot": values, "e2e": values},
        None, None, rates, 10, 10 - failed, 256.0, 64.0,
    )  # fmt: skip


def side(run: Recorded, *stretches: Stretch, tags: tuple[str, ...] = (), gpus: int = 0) -> list[Recorded]:
    config = msgspec.structs.replace(run.manifest.config, tags=list(tags))
    energy = msgspec.structs.replace(run.summary.energy, gpus=gpus)
    about = msgspec.structs.replace(run.manifest, config=config)
    return [Recorded(about, msgspec.structs.replace(run.summary, energy=energy), list(stretches), run.whole)]


def found(*sides: list[Recorded]) -> Scaling:
    said = scaling(sides, [f"S{i}" for i in range(len(sides))])
    assert said is not None
    return said


def test_efficiency_is_the_best_per_gpu_against_the_smallest_side(run: Recorded) -> None:
    # 4 GPUs: 3,200 at best, 800 each, at the last load. 1 GPU: 1,000 at 4 rps, less at 8. 800 / 1000 = 80 %.
    four = side(run, at(4, 2000, 10), at(8, 3200, 12), tags=("gpus=4",))
    one = side(run, at(4, 1000, 20), at(8, 950, 90), tags=("gpus=1",))
    said = found(four, one)
    assert said.smallest == "S1"
    rows = [(s.label, s.gpus, s.load, s.output_tps_per_gpu, s.efficiency) for s in said.sides]
    assert rows == [("S0", 4, "8 rps", 800.0, pytest.approx(0.8)), ("S1", 1, "4 rps", 1000.0, 1.0)]
    assert [s.highest_load_is_best for s in said.sides] == [True, False]


def test_the_front_is_what_no_other_point_beats_and_ties_are_both_on_it(run: Recorded) -> None:
    # tokens/s/user is 1 / median TPOT: 10 ms is 100. Per GPU: A (100, 500), B (50, 800), C (40, 700), D (100, 500).
    said = found(
        side(run, at(1, 500, 10), at(2, 800, 20), at(3, 700, 25), gpus=1),
        side(run, at(1, 1000, 10), at(5, 100, 200), gpus=2),
    )
    assert [(p.tps_per_user, p.output_tps_per_gpu, p.on_front) for p in said.points] == [
        (100.0, 500.0, True),
        (50.0, 800.0, True),
        (40.0, 700.0, False),
        (100.0, 500.0, True),
        (5.0, 50.0, False),
    ]
    assert [s.gpus_from for s in said.sides] == ["GPUs that the load ran on"] * 2


def test_tensor_against_data_parallelism_on_as_many_gpus(run: Recorded) -> None:
    # TP 2 makes 900 at best, DP 2 1,200: 0.75. At 1 rps, which both had, 10 and 16 ms: 1.6 times as fast for a user.
    tp = side(run, at(1, 300, 10), at(4, 900, 20), tags=("tp=2",))
    dp = side(run, at(1, 300, 16), at(8, 1200, 18), tags=("dp=2",))
    both = side(run, at(1, 300, 12), tags=("tp=2", "dp=2"))
    (said,) = found(tp, dp, both).tp_against_dp
    assert (said.gpus, said.tp, said.dp, said.load) == (2, "S0", "S1", "1 rps")
    assert (said.output_tps_ratio, said.tps_per_user_ratio) == (pytest.approx(0.75), pytest.approx(1.6))
    three = found(tp, dp, both)
    assert [(s.layout, s.gpus) for s in three.sides] == [("tp=2", 2), ("dp=2", 2), ("tp=2 dp=2", 4)]
    assert [s.efficiency for s in three.sides] == [1.0, None, pytest.approx(300 / 4 / 450)]


def test_repetitions_are_one_point_each_load(run: Recorded) -> None:
    said = found(side(run, at(1, 100, 10, failed=2), gpus=1) + side(run, at(1, 300, 30, failed=1), gpus=1))
    (point,) = said.points
    assert (point.output_tps, point.requests, point.failed) == (200.0, 20, 3)
    assert point.tps_per_user == pytest.approx(1000 / 20)


@pytest.mark.parametrize(
    "more",
    [
        {"gpus": 0},
        {"tags": ("gpus=many",)},
        {"tags": ("gpus=0",)},
        {"tags": ("tp=2", "dp=x")},
        {"tags": ("gpus=²",)},
    ],
)
def test_a_number_of_gpus_that_is_none_is_not_made_up(run: Recorded, more: dict[str, Any]) -> None:
    assert scaling([side(run, at(1, 100, 10), **more)], ["A"]) is None


def test_sessions_of_one_side_that_ran_on_other_numbers_of_gpus_have_none(run: Recorded) -> None:
    mixed = side(run, at(1, 100, 10), gpus=1) + side(run, at(1, 100, 10), gpus=2)
    assert scaling([mixed], ["A"]) is None


def test_answers_without_tokens_have_no_tokens_per_gpu(run: Recorded) -> None:
    assert scaling([side(run, at(1, None, 10), gpus=2)], ["A"]) is None
