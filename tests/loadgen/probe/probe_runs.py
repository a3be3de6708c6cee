"""The probe run against a server in the same test: what it found, or how it failed."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest

from loadgen.probe.probe import ProbeError, ProbeResult, probe
from loadgen.target.api_key import ApiKey
from loadgen.target.url import Target, parse_target
from tests.loadgen.probe.servers import Served, Server, serving

CANARY = "sk-CANARY-7f3a"


async def asking(url: str, notes: list[str], key: str | None = None, **options: Any) -> ProbeResult:
    names = ("ca_file", "insecure", "cert_file", "cert_key_file")
    given = {name: options.pop(name) for name in names if name in options}
    target = parse_target(url, path=options.pop("only_path", None), **given)
    wishes: dict[str, Any] = {
        "model": None,
        "endpoint": "auto",
        "input_tokens": 100,
        "output_tokens": 32,
        "seed": 5,
        **options,
    }
    api_key = None if key is None else ApiKey(key, "test")
    return await probe(target, api_key, on_note=notes.append, **wishes)


def probed(server: Server, **options: Any) -> tuple[ProbeResult, Served, list[str]]:
    """What the probe found, what the server was asked, and the notes."""
    notes: list[str] = []

    async def run() -> tuple[ProbeResult, Served]:
        async with serving(server) as served:
            return await asking(served.url + options.pop("path", ""), notes, **options), served

    found, served = asyncio.run(asyncio.wait_for(run(), 30))
    assert found.requests == len(served.asked)
    return found, served, notes


def failure(server: Server, **options: Any) -> tuple[int, str]:
    """Exit code and message of the probe's error, the server's address written as URL."""

    async def run() -> tuple[int, str]:
        async with serving(server) as served:
            with pytest.raises(ProbeError) as caught:
                await asking(served.url + options.pop("path", ""), [], **options)
            return caught.value.exit_code, str(caught.value).replace(served.url, "URL")

    code, message = asyncio.run(asyncio.wait_for(run(), 30))
    assert message.isprintable()
    assert CANARY not in message
    return code, message


async def short_probe(
    target: Target, *, model: str | None = None, endpoint: Literal["auto", "completions"] = "completions"
) -> ProbeResult:
    return await probe(
        target,
        None,
        model=model,
        endpoint=endpoint,
        input_tokens=16,
        output_tokens=4,
        seed=0,
        on_note=lambda _: None,
        lengths_given=True,
    )
