"""Prompts of exact length: words of one token each, and streams until the server counts what was asked."""

from __future__ import annotations

import msgspec

from loadgen.endpoints import ENDPOINTS
from loadgen.probe.attempts import WISHED, Attempt
from loadgen.probe.client import Refused
from loadgen.probe.context import WARM_UP_TOKENS, ProbeContext
from loadgen.probe.one_token_words import Count, find_words
from loadgen.probe.result import ProbeError
from loadgen.workload.spec import PromptSpec

MOST_COUNTS = 24
"""Requests that finding words may take."""
MOST_STREAMS = 3
"""Streams that checking and correcting the length may take."""


async def with_words(
    asking: ProbeContext, attempt: Attempt, spec: PromptSpec, tokenizer: Count | None
) -> PromptSpec:
    """`spec` at its full length, with words that were seen to add one token each.

    When none can be found it keeps its likely ones, and a note says so.
    Without a `tokenizer` the server's own count of input tokens serves, one short request each.
    """
    spec = msgspec.structs.replace(spec, tokens=asking.input_tokens)
    count = tokenizer or _by_usage(asking, attempt)
    if tokenizer is None and asking.streams[-1].warm_up.input_tokens is None:
        asking.on_note("the server does not count input tokens: prompts are of about the asked length")
        return spec
    words = await find_words(count, MOST_COUNTS)
    if words is None:
        asking.on_note("no words of one token were found: prompts are of about the asked length")
        return spec
    return msgspec.structs.replace(spec, words=words.words, overhead_tokens=words.overhead_tokens)


async def verified(
    asking: ProbeContext, attempt: Attempt, spec: PromptSpec
) -> tuple[PromptSpec, bool | None]:
    """`spec`, corrected by what the server counts, and whether it counts the asked length (None: no count).

    At least one stream is sent: the second warm-up, of the very request that the load will send.

    Raises:
        ProbeError: the server refuses what it took before.
    """
    want = asking.input_tokens
    if attempt.form == "ids":
        # The first stream asked by this spec already; some servers put a token before the ids.
        spec = _corrected(spec, asking.streams[-1].warm_up.input_tokens, want) or spec
    got: int | None = None
    for _ in range(MOST_STREAMS):
        try:
            got = (await asking.stream(attempt, spec)).warm_up.input_tokens
        except Refused as refusal:
            if refusal.status == 413:
                raise ProbeError(asking.too_large(), 2) from None
            said = asking.client.safe(refusal.text, 120)
            raise asking.client.failure(
                f"the server refuses the second request (HTTP {refusal.status}: {said})"
            ) from None
        corrected = _corrected(spec, got, want)
        if corrected is None:
            break
        spec = corrected
    if got is not None and got != want:
        asking.on_note(f"prompts have {got} tokens instead of {want}, as the server counts them")
    return spec, None if got is None else got == want


def _corrected(spec: PromptSpec, got: int | None, want: int) -> PromptSpec | None:
    """The spec with as many tokens less as there were too many; None when it stays or would be empty."""
    if got is None or got == want:
        return None
    excess = got - want
    overhead = spec.overhead_tokens + excess
    return msgspec.structs.replace(spec, overhead_tokens=overhead) if spec.tokens > overhead else None


def _by_usage(asking: ProbeContext, attempt: Attempt) -> Count:
    client, endpoint = asking.client, ENDPOINTS[attempt.endpoint]
    added = {name: value for name, value in asking.body.items() if name not in WISHED and value is not None}
    fields: dict[str, object] = {"model": asking.model, "stream": False, **added}

    async def count(text: str) -> int | None:
        # As few output tokens as it takes; what refuses one may take as many as the warm-up had.
        for tokens in dict.fromkeys((attempt.least_tokens, max(attempt.least_tokens, WARM_UP_TOKENS))):
            body = endpoint.body(fields, text, attempt.max_tokens_field, tokens)
            answer = await client.ask("POST", client.path_of(endpoint), body)
            if 200 <= answer.status < 300:
                usage = endpoint.read(answer.body).usage
                return usage.prompt_tokens if usage else None
        return None

    return count
