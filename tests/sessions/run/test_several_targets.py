"""Several servers before the load: all are asked, one that differs is named, and what workers are told."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadgen.arrivals.load import OpenLoad
from loadgen.worker_config import Address, LoadTarget
from sessions.plan.config import LoadConfig, NodesConfig, RunConfig, WorkloadConfig
from sessions.plan.target_config import OtherTarget, TargetConfig
from sessions.run.asking import PromptFiles
from sessions.run.client_limits import Machine, Spread, need_of, refusal, warnings
from sessions.run.launch import SupervisorAnswer
from sessions.run.preflight import Preflight, preflight
from sessions.run.worker_configs import server_facts, spread_of, worker_configs
from tests.loadgen.probe.servers import Asked, Reply, Served, Server, Vllm, as_json, llamacpp, models, serving

WORK = WorkloadConfig(16, 4)


def asked(
    servers: list[Server], key: str | None = None, **target: Any
) -> tuple[Any, list[str], list[Served]]:
    """What preflight says of these servers, by weights 2, 1, 1, ...; the notes; and the servers."""

    async def body() -> tuple[Any, list[str], list[Served]]:
        async with AsyncExitStack() as stack:
            up = [await stack.enter_async_context(serving(server)) for server in servers]
            others = [OtherTarget(served.url) for served in up[1:]]
            config = RunConfig(
                TargetConfig(up[0].url, weight=2, others=others or None, **target), workload=WORK
            )
            notes: list[str] = []
            return await preflight(config, key, notes.append, PromptFiles(Path())), notes, up

    return asyncio.run(body())


def named(name: str) -> Server:
    """vLLM with a model of that name."""
    plain = Vllm()

    def serve(asked: Asked) -> Reply:
        if asked.path == "/v1/models":
            return as_json(models(name, max_model_len=2048, owned_by="vllm"))
        body = json.dumps({**asked.json(), "model": "small"}).encode() if asked.body else asked.body
        return plain(Asked(asked.method, asked.path, asked.headers, body))

    return serve


def without(field: str) -> Server:
    """vLLM that refuses a field."""
    plain = Vllm()

    def serve(asked: Asked) -> Reply:
        if asked.body and field in asked.json():
            return as_json({"error": {"message": f"Unrecognized request argument: {field}"}}, 400)
        return plain(asked)

    return serve


def test_each_is_asked_and_workers_are_told_of_all_with_paths_and_weights() -> None:
    found, _, up = asked([Vllm(), Vllm(), Vllm()])
    assert isinstance(found, Preflight)
    assert [target.name for target in found.targets] == [served.url for served in up]
    assert [target.weight for target in found.targets] == [2, 1, 1]
    assert all(target.address.at == ("127.0.0.1",) for target in found.targets)
    for target, served in zip(found.targets, up, strict=True):
        (head,) = target.heads.values()
        assert head.path == "/v1/completions"
        assert ("host", f"127.0.0.1:{served.port}") in head.headers
    assert found.probed.requests == sum(len(served.asked) for served in up)
    config = RunConfig(TargetConfig("http://a"), LoadConfig(rate_rps=4.0))
    told = worker_configs(config, found, found.asking.spec(WORK), 2, origin_ns=0, start_ns=0, end_ns=None)
    assert all(one.targets == found.targets for one in told)
    assert isinstance(told[0].load, OpenLoad)
    facts = server_facts(found)
    assert [each["url"] for each in facts["targets"]] == [served.url for served in up]


def test_one_target_is_told_as_ever() -> None:
    found, _, _ = asked([Vllm()])
    assert found.targets == ()
    assert "targets" not in server_facts(found)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (named("large"), "it serves model large, {first} serves small: all targets must serve the same; --model names it"),
        (without("min_tokens"), "it does not take the field min_tokens as {first} does: all targets must take the same requests"),
        (Vllm(continuous=False), "it tells the tokens of a chunk otherwise than {first}: all targets must answer alike"),
    ],
)  # fmt: skip
def test_one_that_differs_is_named_with_what_differs(other: Server, said: str) -> None:
    found, _, up = asked([Vllm(), Vllm(), other])
    assert isinstance(found, SupervisorAnswer)
    assert found.exit_code == 2
    assert found.message == f"{up[2].url}: {said.format(first=up[0].url)}"


def test_another_kind_of_server_is_refused_in_one_line_with_its_url() -> None:
    found, _, up = asked([Vllm(), llamacpp])
    assert isinstance(found, SupervisorAnswer)
    assert found.message.startswith(f"{up[1].url}: ")
    assert "\n" not in found.message


def test_one_that_cannot_be_reached_is_named() -> None:
    async def body() -> Any:
        async with serving(Vllm()) as one:
            config = RunConfig(
                TargetConfig(one.url, others=[OtherTarget("http://127.0.0.1:9")]), workload=WORK
            )
            return await preflight(config, None, lambda text: None, PromptFiles(Path()))

    found = asyncio.run(body())
    assert (found.exit_code, found.message.partition(": ")[0]) == (3, "http://127.0.0.1:9")


def test_the_same_model_is_taken_where_another_server_lists_more() -> None:
    def both(asked: Asked) -> Reply:
        return (
            as_json(models("small", "large", max_model_len=2048))
            if asked.path == "/v1/models"
            else Vllm()(asked)
        )

    found, _, _ = asked([Vllm(), both])
    assert isinstance(found, Preflight)
    assert found.probed.model == "small"


def test_the_key_goes_to_each_and_is_shown_nowhere() -> None:
    found, notes, up = asked([Vllm(), Vllm()], key="sk-CANARY")
    for served in up:
        assert {request.headers.get("authorization") for request in served.asked} == {"Bearer sk-CANARY"}
    assert "CANARY" not in repr(found.targets) + " ".join(notes) + str(server_facts(found))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("192.0.2.1", "--source-address: got 192.0.2.1, need an address of this machine (cannot assign requested address)"),
        ("::1", "--source-address: got ::1, and {first} is at 127.0.0.1: need one of IPv4"),
    ],
)  # fmt: skip
def test_a_source_address_that_cannot_be_is_one_line(source: str, said: str) -> None:
    found, _, up = asked([Vllm()], sources=[source])
    assert (found.exit_code, found.message) == (2, said.format(first=up[0].url))


def test_ports_are_counted_by_pair_of_addresses_and_by_target() -> None:
    def target(name: str, weight: int, *at: str) -> LoadTarget:
        return LoadTarget(name, Address("h", 1, at=at, sources=("127.0.0.2", "127.0.0.3", "::1")), {}, weight)

    found, _, _ = asked([Vllm()])
    found = found._replace(
        targets=(target("http://a", 3, "10.0.0.1"), target("http://b", 1, "10.0.0.2", "10.0.0.3"))
    )
    spread = spread_of(found)
    assert spread == [Spread(1, 2, 0.75, "http://a"), Spread(2, 2, 0.25, "http://b")]
    machine = Machine(None, 28_232, None)
    load = LoadConfig(rate_rps=4000.0, max_rate_rps=9000.0, max_in_flight=100_000)
    # 80,000 in flight: 60,000 to a over two pairs, 20,000 to b over four.
    need = need_of(load, workers=1, spread=spread, request_s=20.0, closes=False, output_tokens=1)
    assert warnings(need, machine) == [
        "http://a: the load may need 30,000 connections at once; this machine has 28,232 ports to one address "
        "from each of 2 of its own (net.ipv4.ip_local_port_range); each --source-address has as many"
    ]
    closed = LoadConfig(concurrency=100_000, max_in_flight=100_000)
    need = need_of(closed, workers=1, spread=spread, request_s=None, closes=False, output_tokens=1)
    # What a can have, 56,464, is three quarters of all.
    assert refusal(closed, need, machine).startswith("--concurrency: got 100000, need at most 75285: ")
    assert "http://a has its part" in refusal(closed, need, machine)


def test_what_was_asked_is_kept_only_where_it_was() -> None:
    one, two = (
        TargetConfig("http://a"),
        TargetConfig("http://a", weight=2, others=[OtherTarget("http://b", 3)]),
    )
    assert msgspec.to_builtins(one) == {"url": "http://a"}
    assert msgspec.convert(msgspec.to_builtins(two), TargetConfig) == two
    assert [(each.url, each.weight) for each in two.all] == [("http://a", 2), ("http://b", 3)]


@pytest.mark.parametrize("nodes", [NodesConfig(["ssh://node7"]), NodesConfig(ray="auto")])
def test_a_target_on_this_machine_is_none_for_nodes_on_others(nodes: NodesConfig) -> None:
    target = TargetConfig("http://node1", others=[OtherTarget("http://127.0.0.1:9")])
    config = RunConfig(target, workload=WORK, nodes=nodes)
    found = asyncio.run(preflight(config, None, lambda text: None, PromptFiles(Path())))
    assert isinstance(found, SupervisorAnswer)
    assert found.message.startswith("--target: http://127.0.0.1:9 is the node itself on a node")
