"""What the workers of a lost node were to send, while the run goes on without them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loadgen.clock import ManualClock
from loadgen.records import Tick
from sessions.plan.config import LoadConfig, NodesConfig, OnNodeLost, RunConfig
from sessions.plan.target_config import TargetConfig
from sessions.run.load_workers import LostNode
from sessions.run.lost_nodes import LostNodes
from sessions.store.journal import JournalWriter, worker_file

S = 1_000_000_000
RATE_RPS = 100.0


class Lost:
    """A run of two workers at 100 rps, of which the second is on the node that goes."""

    def __init__(self, directory: Path, on_lost: OnNodeLost = "go-on") -> None:
        config = RunConfig(
            TargetConfig("http://h"), LoadConfig(rate_rps=RATE_RPS), nodes=NodesConfig(on_lost=on_lost)
        )
        workers = SimpleNamespace(count=2, states=SimpleNamespace(alive={0, 1}))
        load = SimpleNamespace(
            start_ns=S, end_ns=None, has_plan=False, concurrency=None, rate_rps=lambda at_ns: RATE_RPS
        )
        self.clock, self.told, self.noted = ManualClock(S), list[Any](), list[str]()
        writing = (self.clock, self.told.append, lambda level, text: self.noted.append(text))
        self.nodes = LostNodes(config, directory, workers, load, *writing)  # type: ignore[arg-type]

    def count_at(self, now_ns: int) -> int:
        self.clock.advance_to(now_ns)
        self.nodes.count()
        return sum(tick.not_sent for tick in self.told)


NODE = LostNode("gpu1", "it is away", "/there", [1])


def test_the_share_of_a_lost_worker_counts_as_due_and_not_sent_from_its_last_tick_on(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / worker_file(1))
    journal.append([Tick(t_ns=number * S // 4, dt_ns=S // 4, worker=1, due=12) for number in range(5, 13)])
    journal.close()
    lost = Lost(tmp_path)
    assert lost.nodes.lose(NODE, ending=False) is None
    assert lost.count_at(10 * S) == pytest.approx((10 - 3) * RATE_RPS / 2, abs=1)


def test_while_the_last_answers_are_waited_for_nothing_is_due_on_lost_workers(tmp_path: Path) -> None:
    lost = Lost(tmp_path)
    lost.nodes.lose(NODE, ending=False)
    at_the_end = lost.count_at(5 * S)
    lost.nodes.end()
    assert lost.count_at(3600 * S) == at_the_end == pytest.approx(4 * RATE_RPS / 2, abs=1)


def test_a_node_without_load_workers_ends_no_run(tmp_path: Path) -> None:
    lost = Lost(tmp_path, "end")
    assert lost.nodes.lose(LostNode("gpu1", "it is away", "/there", []), ending=False) is None
    assert "no load came from there" in lost.noted[0]
    end = lost.nodes.lose(NODE, ending=False)
    assert end is not None
    assert end.reason == "worker_lost"
