"""A probe of a few tokens, for tests of the way to the server."""

from __future__ import annotations

from typing import Literal

from loadgen.probe.probe import probe
from loadgen.probe.result import ProbeResult
from loadgen.target.url import Target


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
