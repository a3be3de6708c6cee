"""The probe of a usual server, on real sockets: what it asks, and what it finds."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from loadgen.probe.probe import ProbeResult
from loadgen.workload.synthetic_prompt import prompt
from tests.loadgen.probe.probe_runs import CANARY, asking, probed
from tests.loadgen.probe.servers import Asked, Reply, Served, Vllm, llamacpp, serving


def test_a_usual_server_is_asked_three_times_and_warmed_up_by_two_of_them() -> None:
    found, served, notes = probed(Vllm())
    assert served.paths() == ["GET /v1/models", "POST /v1/completions", "POST /v1/completions"]
    assert notes == []
    assert (found.model, found.template.path, found.template.endpoint) == (
        "small",
        "/v1/completions",
        "completions",
    )
    assert (found.prompt.form, found.prompt.tokens) == ("ids", 100)
    assert (found.input_exact, found.output_tokens, found.requests) == (True, 32, 3)
    assert [(warm.input_tokens, warm.output_tokens, warm.chunks) for warm in found.warm_ups] == [
        (100, 4, 4)
    ] * 2
    assert all(warm.ttft_ms is not None and 0 < warm.ttft_ms <= warm.total_ms for warm in found.warm_ups)


def test_the_template_asks_for_continuous_usage_and_not_for_token_ids_as_well() -> None:
    found, _, _ = probed(Vllm())
    assert found.template.fields == {
        "model": "small",
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
        "ignore_eos": True,
        "min_tokens": 32,
    }
    assert found.chunk_counts


def test_the_template_asks_for_token_ids_where_usage_comes_only_at_the_end() -> None:
    found, served, _ = probed(Vllm(continuous=False))
    assert found.template.fields["stream_options"] == {"include_usage": True}
    assert found.template.fields["return_token_ids"] is True
    assert found.chunk_counts
    # The second warm-up is of the very request that the load will send.
    second = served.bodies("/v1/completions")[1]
    assert {**second, "min_tokens": 32, "prompt": None, "max_tokens": None} == {
        **found.template.fields,
        "prompt": None,
        "max_tokens": None,
    }


def test_capabilities_of_vllm_are_seen() -> None:
    can = probed(Vllm(), thorough=True)[0].capabilities
    assert (can.token_id_prompts, can.ignore_eos, can.min_tokens, can.include_usage) == (
        True,
        True,
        True,
        True,
    )
    assert (can.continuous_usage, can.return_token_ids, can.sends_done, can.one_token_chunks) == (True,) * 4
    assert (can.tokenize, can.context_tokens, can.vocabulary) == ("vllm", 2048, None)
    assert (can.server, can.server_version, can.simulated) == ("vllm", "0.32.0", False)


def test_capabilities_of_llamacpp_are_seen_and_its_pings_are_no_tokens() -> None:
    found, served, notes = probed(llamacpp)
    can = found.capabilities
    assert (len(served.asked), notes) == (3, [])
    assert (can.continuous_usage, can.return_token_ids, can.include_usage, can.sends_done) == (
        False,
        False,
        True,
        True,
    )
    assert (can.context_tokens, can.vocabulary, can.server) == (1024, 4096, "llamacpp")
    assert found.prompt.vocab_high == 4096
    assert not found.chunk_counts
    assert "return_token_ids" not in found.template.fields
    assert found.template.fields["stream_options"] == {"include_usage": True}


def test_the_probe_uses_up_no_prompt_of_the_load() -> None:
    found, served, _ = probed(Vllm())
    sent = [body["prompt"] for body in served.bodies("/v1/completions")]
    assert sent[0] != sent[1]
    assert not any(prompt(found.prompt, 5, index) in sent for index in range(50))


def test_requests_carry_the_headers_and_the_key_and_nothing_is_followed_or_compressed() -> None:
    _, served, _ = probed(Vllm(), key=CANARY)
    for asked in served.asked:
        assert asked.headers["authorization"] == f"Bearer {CANARY}"
        assert asked.headers["accept-encoding"] == "identity"
        assert asked.headers["user-agent"].startswith("ttftop/")
        assert asked.headers["host"] == f"127.0.0.1:{served.port}"
        assert "cookie" not in asked.headers


def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert probed(Vllm())[0].model == "small"


def test_the_simulator_is_known_by_its_header() -> None:
    def simulator(asked: Asked) -> Reply:
        reply = Vllm()(asked)
        reply.headers["x-ttftop-simulated"] = "1"
        return reply

    assert probed(simulator)[0].capabilities.simulated


def test_a_base_path_stands_before_every_path() -> None:
    notes: list[str] = []

    def below(asked: Asked) -> Reply:
        assert asked.path.startswith("/api/llm/v1/")
        return Vllm()(Asked(asked.method, asked.path.removeprefix("/api/llm"), asked.headers, asked.body))

    async def run() -> ProbeResult:
        async with serving(below) as served:
            return await asking(served.url + "/api/llm/v1", notes)

    assert asyncio.run(run()).template.path == "/api/llm/v1/completions"


def test_a_unix_socket_is_probed(tmp_path: Path) -> None:
    async def run() -> ProbeResult:
        async with serving(Vllm(), unix_path=str(tmp_path / "s")) as served:
            return await asking(served.url, [])

    assert asyncio.run(run()).model == "small"


def test_an_ipv6_address_is_probed() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")

    async def run() -> tuple[ProbeResult, Served]:
        async with serving(Vllm(), host="::1") as served:
            return await asking(served.url, []), served

    found, served = asyncio.run(run())
    assert found.model == "small"
    assert served.asked[0].headers["host"] == f"[::1]:{served.port}"


def test_the_embedded_simulator_is_probed_in_three_requests(simulator_url: str) -> None:
    notes: list[str] = []
    found = asyncio.run(asking(simulator_url, notes))
    assert found.capabilities.simulated
    assert (found.requests, found.prompt.form, found.input_exact, notes) == (3, "ids", True, [])
    by_chat = asyncio.run(asking(simulator_url, notes, endpoint="chat"))
    assert (by_chat.input_exact, notes) == (True, [])
