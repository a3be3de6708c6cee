"""What a probe found out about a server, and how it says that it could not."""

from __future__ import annotations

from typing import Literal

import msgspec

from loadgen.workload.spec import PromptSpec
from loadgen.workload.template import RequestTemplate


class ProbeError(Exception):
    """The server cannot be loaded as asked: one line, safe to print.

    `exit_code` is 2 for what the user can choose otherwise (model, lengths, files), 3 for a server that
    cannot be reached, refuses, or is no OpenAI-compatible one.
    """

    def __init__(self, message: str, exit_code: Literal[2, 3]) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Capabilities(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the server was seen to do. None: not asked, or it did not say."""

    token_id_prompts: bool | None = None
    ignore_eos: bool | None = None
    """The field was not refused. Some servers take and ignore it."""
    min_tokens: bool | None = None
    """As `ignore_eos`."""
    include_usage: bool | None = None
    """Usage came with the stream."""
    continuous_usage: bool | None = None
    """Usage came with every chunk (`stream_options.continuous_usage_stats`)."""
    return_token_ids: bool | None = None
    """Token ids came with the chunks."""
    tokenize: str | None = None
    """Which dialect of `/tokenize` it speaks (`vllm`, `llamacpp`, `tgi`); empty when none."""
    context_tokens: int | None = None
    vocabulary: int | None = None
    sends_done: bool | None = None
    """The stream ends with `data: [DONE]`."""
    one_token_chunks: bool | None = None
    """In an idle server, each chunk bore one token."""
    server: str = ""
    """Its name, from `/v1/models` or the `Server` header. Safe to print."""
    server_version: str = ""
    simulated: bool = False
    """It is ttftop's simulator (header `x-ttftop-simulated`)."""


class WarmUp(msgspec.Struct, frozen=True, omit_defaults=True):
    """One streaming request of the probe. Its times are those of a first request: never a measurement."""

    ttft_ms: float | None
    total_ms: float
    chunks: int
    """Token-bearing events."""
    input_tokens: int | None
    """As the server counted them."""
    output_tokens: int | None


class ProbeResult(msgspec.Struct, frozen=True):
    """All that the load needs to know about the server. `template.headers` may hold the key."""

    model: str
    """For people: without our key, should its name hold it. Requests name it as `template.fields` says."""
    template: RequestTemplate
    prompt: PromptSpec
    output_tokens: int
    """As asked, or as many as the context leaves."""
    capabilities: Capabilities
    warm_ups: tuple[WarmUp, ...]
    requests: int
    """HTTP requests the probe sent, of any kind. None of them belongs to the load."""
    input_exact: bool | None
    """The server counted exactly the asked input tokens; None when it does not count."""
    chunk_counts: bool
    """With `template`, the server says how many tokens each chunk bears."""
    addresses: tuple[str, ...] = ()
    """The IP addresses that the load goes to in turn, of the server or of the proxy before it; none for a
    Unix socket."""
    closes: bool = False
    """The server closes its connection after each answer."""
    left_out: tuple[str, ...] = ()
    """Those of the name that did not answer."""

    def __repr__(self) -> str:
        return f"ProbeResult({self.model!r}, {self.template.endpoint!r}, {self.prompt.form!r})"
