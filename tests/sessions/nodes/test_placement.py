"""How many workers each node runs: worked out by hand."""

from __future__ import annotations

import pytest

from sessions.nodes.placement import Offer, PlacementError, numbered, placed, planned, takes_load
from sessions.plan.config import LoadConfig
from sessions.plan.node_words import NodeWordError, parse_nodes
from sessions.summary.load_nodes import load_nodes
from sessions.summary.schema import LoadNode
from tui.report.text import nodes_line


def offer(name: str, cores: int = 8, events_per_s: float | None = None) -> Offer:
    return Offer(name, cores, events_per_s)


@pytest.mark.parametrize(
    ("load", "tokens", "offers", "counts"),
    [
        # 70,000 events/s; each worker is planned with 0.7 * 10,000: ten of them.
        (LoadConfig(rate_rps=700), 100, [offer("a"), offer("b")], [5, 5]),
        (LoadConfig(rate_rps=700), 100, [offer("a", 16), offer("b", 6)], [7, 3]),
        # Each worker has the same part, also one on a node that could read twice as fast.
        (LoadConfig(rate_rps=630), 100, [offer("a"), offer("b", 8, 20_000)], [5, 4]),
        (LoadConfig(rate_rps=630), 100, [offer("a", 8, 20_000), offer("b", 8, 20_000)], [3, 2]),
        (LoadConfig(rate_rps=1), 1, [offer("a"), offer("b"), offer("c")], [1, 1, 1]),
        # Never more than cores allow, one left free on each.
        (LoadConfig(rate_rps=1000), 1000, [offer("a", 4), offer("b", 2), offer("c", 1)], [3, 1, 1]),
        (LoadConfig(concurrency=2), 8, [offer("a"), offer("b"), offer("c")], [1, 1, 0]),
        (LoadConfig(workers=5), 8, [offer("a"), offer("b")], [3, 2]),
    ],
)
def test_workers_go_where_fewest_share_a_core(
    load: LoadConfig, tokens: float, offers: list[Offer], counts: list[int]
) -> None:
    assert placed([(load, tokens)], offers) == counts


def test_the_highest_of_several_loads_decides() -> None:
    loads = [(LoadConfig(rate_rps=1), 1.0), (LoadConfig(rate_rps=280), 100.0)]
    assert sum(placed(loads, [offer("a"), offer("b")])) == 4


@pytest.mark.parametrize(
    ("workers", "why"), [(1, "at least 2: one on each node"), (65, r"at most 64 \(4 for each core\)")]
)
def test_a_number_of_workers_that_cannot_be_is_refused(workers: int, why: str) -> None:
    with pytest.raises(PlacementError, match=f"--workers: got {workers}, need {why}"):
        placed([(LoadConfig(workers=workers), 1.0)], [offer("a"), offer("b")])


def test_nodes_beside_the_server_are_left_out_unless_named_or_alone() -> None:
    beside = Offer("a", 8, own=True, named=False)
    apart = Offer("b", 8, named=False)
    assert takes_load([beside, apart]) == [apart]
    assert takes_load([beside]) == [beside]
    with_gpus = Offer("c", 8, gpus=True, named=False)
    assert takes_load([beside, with_gpus, apart]) == [apart]
    assert takes_load([beside, with_gpus]) == [with_gpus]
    named = Offer("a", 8, own=True)
    assert takes_load([named, apart]) == [named, apart]


def test_workers_are_numbered_node_by_node() -> None:
    assert numbered([2, 0, 3]) == [[0, 1], [], [2, 3, 4]]


def test_the_calibration_of_a_run_is_that_of_the_slowest_node_and_none_where_one_is_missing() -> None:
    loads = [(LoadConfig(rate_rps=10), 10.0)]
    slow, fast = offer("a", 8, 9_000), offer("b", 8, 30_000)
    assert planned(loads, [slow, fast], 2)["calibrated_events_per_s"] == 9_000
    assert planned(loads, [slow, offer("c")], 2)["calibrated_events_per_s"] is None


def test_words_of_nodes_have_names_of_their_own() -> None:
    words = ["ssh://me@a:2222", "ssh://a", "local://", "local://", "local://x", "ssh://[::1]"]
    assert [word.name for word in parse_nodes(words)] == ["a", "a-2", "local", "local-2", "x", "--1"]
    assert parse_nodes(words)[0].ssh == ("a", "me", 2222)


@pytest.mark.parametrize(
    "word", ["a", "ssh://", "ssh://-oProxyCommand=x", "http://a", "local://../x", "ssh://a b"]
)
def test_what_is_no_node_is_refused(word: str) -> None:
    with pytest.raises(NodeWordError, match="allowed are ssh"):
        parse_nodes([word])


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(NodeWordError, match="must not hold a password") as caught:
        parse_nodes(["ssh://me:secret@a"])
    assert "secret" not in str(caught.value)


def test_a_summary_tells_where_the_load_came_from() -> None:
    nodes = [
        {"name": "a", "host": "h1", "workers": [0, 1], "clock_within_ns": 120_000},
        {"name": "b", "workers": []},
    ]
    assert load_nodes({"nodes": nodes}) == [LoadNode("a", "h1", 2, 0.12), LoadNode("b", "", 0, None)]
    assert load_nodes({"workers": 2}) == load_nodes({"nodes": [{"name": 7}]}) == []
    said = nodes_line(load_nodes({"nodes": nodes}))
    assert said == "load workers on 2 nodes: a 2, b 0; clocks known within 0.12 ms"
