"""Money for a run and for its tokens, worked by hand."""

from __future__ import annotations

import pytest

from sessions.summary.cost import cost, per_million
from sessions.summary.prices import GpuPrice, Prices

TABLE = Prices((GpuPrice("H100", 3.20),), "USD", "2026-11-01")


def test_published_arithmetic_an_h100_at_230_tokens_a_second():
    assert per_million(3.20, 230.0) == pytest.approx(3.86, abs=0.005)
    said = cost(TABLE, ["NVIDIA H100 80GB HBM3"], 100.0, 23_000, 77_000)
    assert said is not None
    assert said.per_hour == 3.20
    assert said.per_million_output_tokens == pytest.approx(3.86, abs=0.005)
    # All tokens, 1,000 a second: 3.20 / 3600 s / 1000 per s * 1e6.
    assert said.per_million_tokens == pytest.approx(0.889, abs=0.0005)
    assert said.total == pytest.approx(3.20 * 100 / 3600)


def test_every_gpu_is_paid_for():
    said = cost(TABLE, ["NVIDIA H100 80GB HBM3"] * 8, 3600.0, 3.6e6, None)
    assert said is not None
    assert (said.gpus, said.per_hour, said.total) == (8, pytest.approx(25.6), pytest.approx(25.6))
    assert said.per_million_output_tokens == pytest.approx(25.6 / 3.6)
    assert said.per_million_tokens is None


def test_without_a_table_there_is_no_money():
    assert cost(None, ["NVIDIA H100 80GB HBM3"], 100.0, 23_000, 77_000) is None


def test_a_gpu_that_the_table_does_not_know_leaves_no_figure():
    said = cost(TABLE, ["NVIDIA H100 80GB HBM3", "Tesla T4"], 100.0, 23_000, 77_000)
    assert said is not None
    assert said.gpus_without_price == ["Tesla T4"]
    assert said.per_hour is said.total is said.per_million_output_tokens is None
    nothing = cost(TABLE, [], 100.0, 23_000, 77_000)
    assert nothing is not None
    assert nothing.per_hour is None
