"""A load model the engine never heard of runs in it: requests due at given times, as a trace has them."""

import asyncio

import msgspec
import pytest

from loadgen.arrivals.load import Beginning, Offered
from loadgen.arrivals.models import LOAD_MODELS
from tests.loadgen.raw_server import RawServer, good
from tests.loadgen.worker.engine_runs import run_engine, worker_config


class GivenTimes(msgspec.Struct):
    times_ns: list[int]


class Given:
    lead_ns, next_index = 0, 0

    def __init__(self, load: GivenTimes, beginning: Beginning) -> None:
        self._times_ns = load.times_ns

    def due_ns(self, sendable_ns: int | None) -> int | None:
        return None if self.exhausted(0) else self._times_ns[self.next_index]

    def take(self) -> int:
        self.next_index += 1
        return self.next_index - 1

    def ended(self, index: int, now_ns: int, *, failed: bool) -> bool:
        return False

    def change(self, at_ns: int, load: object) -> bool:
        return False

    def exhausted(self, now_ns: int) -> bool:
        return self.next_index == len(self._times_ns)

    def offered(self, t_ns: int) -> Offered:
        return Offered(None, None)


def test_requests_are_due_when_a_third_load_model_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOAD_MODELS, GivenTimes, Given)
    times_ns = [50_000_000, 50_000_001, 180_000_000, 181_500_000]

    async def body() -> list[tuple[int, int]]:
        async with RawServer(lambda n, body: good()) as server:
            emitted = await run_engine(worker_config(server.port, GivenTimes(times_ns)))
        return sorted((record.index, record.due_ns) for record in emitted.requests)

    assert asyncio.run(body()) == list(enumerate(times_ns))
