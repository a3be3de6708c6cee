"""What a probe asks for, and the streams it has read so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from loadgen.endpoints import ENDPOINTS
from loadgen.probe.attempts import Attempt
from loadgen.probe.client import Client
from loadgen.probe.models import Models
from loadgen.probe.stream import Streamed
from loadgen.workload.spec import PromptSpec
from loadgen.workload.synthetic_prompt import prompt

WARM_UP_TOKENS = 4
"""Output tokens of a warm-up: enough to see whether a chunk is a token."""


@dataclass
class ProbeContext:
    """One probe on its way."""

    client: Client
    models: Models
    model: str
    input_tokens: int
    output_tokens: int
    seed: int
    on_note: Callable[[str], None]
    body: Mapping[str, object] = field(default_factory=dict)
    """What a person adds to the body's fields; None leaves one of ours out."""
    streams: list[Streamed] = field(default_factory=list)
    """Read to their end, oldest first."""
    prompts: int = 0
    body_bytes: int = 0
    """Of the last stream's request."""

    @property
    def context_tokens(self) -> int | None:
        return self.models.of(self.models.context_tokens, self.model)

    def fields(self, attempt: Attempt, output_tokens: int) -> dict[str, object]:
        """A body's fields, less prompt and length."""
        fields = {**attempt.fields(self.model, output_tokens), **self.body}
        return {name: value for name, value in fields.items() if value is not None}

    async def stream(self, attempt: Attempt, spec: PromptSpec) -> Streamed:
        """One full-size request of a few output tokens.

        Raises:
            Refused: the server did not do it.
            ProbeError: there was no answer.
        """
        endpoint = ENDPOINTS[attempt.endpoint]
        tokens = min(max(WARM_UP_TOKENS, attempt.least_tokens), self.output_tokens)
        self.prompts += 1
        # Negative indices: the load counts from 0, and must not meet its own prompts in a prefix cache.
        asked = prompt(spec, self.seed, -self.prompts)
        fields = self.fields(attempt, tokens)
        body = endpoint.body(fields, asked, attempt.max_tokens_field, tokens)
        self.body_bytes = len(body)
        streamed = await self.client.stream(endpoint, body, attempt.accept)
        self.streams.append(streamed)
        return streamed

    def too_large(self) -> str:
        return (
            f"{self.client.target.url}: --input-tokens {self.input_tokens}: a request of {self.body_bytes:,} "
            "bytes is larger than the server, or a proxy before it, takes (HTTP 413)"
        )

    def too_long(self) -> str:
        context = self.context_tokens
        room = f"the model's context of {context} tokens" if context is not None else "the model's context"
        return (
            f"{self.client.target.url}: --input-tokens {self.input_tokens} and --output-tokens "
            f"{self.output_tokens} ({self.input_tokens + self.output_tokens} together) do not fit into {room}"
        )
