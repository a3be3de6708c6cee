"""What a token takes of the joules of a span, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sessions.summary.energy import energy_use
from sessions.summary.telemetry_schema import EnergyUse
from sessions.timeline.energy import EnergyCurve

S = 1_000_000_000


def counted(*counter_j: float) -> EnergyCurve:
    """A GPU whose counter was read every 10 s."""
    times = np.arange(len(counter_j)) * 10.0 * S
    return EnergyCurve(times, np.array(counter_j), np.full(len(counter_j), np.nan))


def test_joules_per_token_by_hand() -> None:
    # 30 kJ in 60 s for 12,000 tokens: 500 W, 2.5 J a token, 200 tokens/s at 500 W = 0.4 tokens/s per watt.
    steady = counted(*(5000.0 * i for i in range(7)))
    assert energy_use([steady], 0, 60 * S, 12_000) == EnergyUse(
        gpus=1,
        joules=30_000.0,
        source="counter",
        gap_s=0.0,
        mean_w=500.0,
        j_per_output_token=2.5,
        output_tps_per_w=0.4,
    )
    assert energy_use([steady], 0, 60 * S, 0).j_per_output_token is None


def test_nothing_is_divided_by_joules_that_are_not_all_there() -> None:
    reset = counted(0.0, 5000.0, 10_000.0, 0.0, 5000.0, 10_000.0, 15_000.0)
    use = energy_use([reset], 0, 60 * S, 12_000)
    assert (use.joules, use.source, use.gap_s) == (25_000.0, "counter", pytest.approx(10.0))
    assert use.mean_w is use.j_per_output_token is use.output_tps_per_w is None


def test_without_a_gpu_that_tells_there_is_no_source() -> None:
    assert energy_use([], 0, 10 * S, 5) == EnergyUse(0, None, None, 10.0, None, None, None)
