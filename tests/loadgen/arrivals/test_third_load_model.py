"""A load model the engine never heard of runs in it: requests due at given times, as a trace has them."""

import pytest

from loadgen.arrivals.load import Beginning, LoadModel
from loadgen.arrivals.load_models import LOAD_MODELS
from tests.loadgen.raw_server import good
from tests.loadgen.worker.engine_runs import run


class GivenTimes(LoadModel):
    next_index = 0

    def __init__(self, times_ns: list[int], beginning: Beginning) -> None:
        self.times_ns = times_ns

    def due_ns(self, sendable_ns: int | None) -> int | None:
        return None if self.exhausted(0) else self.times_ns[self.next_index]

    def take(self) -> int:
        self.next_index += 1
        return self.next_index - 1

    def exhausted(self, now_ns: int) -> bool:
        return self.next_index == len(self.times_ns)


def test_requests_are_due_when_a_third_load_model_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOAD_MODELS, list, GivenTimes)
    times_ns = [50_000_000, 50_000_001, 180_000_000, 181_500_000]
    emitted, _ = run(lambda number, body: good(), load=times_ns)
    assert sorted((r.index, r.due_ns) for r in emitted.requests) == list(enumerate(times_ns))
