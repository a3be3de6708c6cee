"""How long sockets are left alone between rounds of reads."""

from __future__ import annotations

from loadgen.records import TICK_NS, Tick
from loadgen.resting import LONGEST_NS, rest_after
from loadgen.sketch import SketchCounts


def tick(gaps_ns: list[int], *, reads: int = 5000, kernel_reads: int | None = None) -> Tick:
    gaps = SketchCounts()
    for gap_ns in gaps_ns:
        gaps.add(gap_ns)
    return Tick(
        t_ns=TICK_NS,
        dt_ns=TICK_NS,
        worker=0,
        chunk_gap=gaps.take(),
        reads=reads,
        kernel_reads=reads if kernel_reads is None else kernel_reads,
    )


def test_sockets_of_busy_streams_rest_a_twentieth_of_their_gap_and_no_longer_than_the_limit() -> None:
    assert 0.98 * 200_000 < rest_after(tick([4_000_000] * 100)) < 1.02 * 200_000
    assert rest_after(tick([50_000_000] * 100)) == LONGEST_NS


def test_the_shortest_gaps_decide_not_the_usual_ones() -> None:
    assert rest_after(tick([1_000_000] * 6 + [50_000_000] * 94)) < 60_000
    assert rest_after(tick([0] * 6 + [50_000_000] * 94)) < 1_000


def test_there_is_no_rest_without_the_kernels_times_without_gaps_or_with_few_reads() -> None:
    assert rest_after(tick([10_000_000] * 100, kernel_reads=4999)) == 0
    assert rest_after(tick([])) == 0
    assert rest_after(tick([10_000_000] * 100, reads=500)) == 0
