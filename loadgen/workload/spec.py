"""What a request asks for, and what every workload can be asked.

No prompt is made here: `loadgen.workload.workloads` has what makes them, one row per kind.
"""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

import msgspec

from loadgen.records import Request
from loadgen.workload.draws import turns_of
from loadgen.workload.lengths import Lengths


class PromptSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """How to make a random prompt of exact length without a tokenizer (see `loadgen.workload.synthetic`)."""

    form: Literal["ids", "text"]
    tokens: int
    """That the server should count, unless a request asks for another length."""
    vocab_low: int = 1000
    vocab_high: int = 20000
    """For `ids`: token ids are drawn from `[vocab_low, vocab_high)`."""
    words: list[str] = msgspec.field(default_factory=list)
    """For `text`: words that were each seen to add exactly one token."""
    overhead_tokens: int = 0
    """Tokens that the server adds to ids or words: for its chat template, say, or as a first one."""


class SyntheticWorkload(msgspec.Struct, frozen=True, tag="synthetic", omit_defaults=True):
    """Random prompts, their lengths and those asked of the answers drawn for each."""

    prompt: PromptSpec
    input: Lengths
    output: Lengths


class TraceWorkload(msgspec.Struct, frozen=True, tag="trace", omit_defaults=True):
    """Prompts and answers as long as those of a trace (`loadgen.workload.trace`)."""

    prompt: PromptSpec
    path: str
    """Of the compiled trace (`loadgen.trace.compiled`)."""


class ConversationWorkload(msgspec.Struct, frozen=True, tag="conversation", omit_defaults=True):
    """Conversations that carry their history (`loadgen.workload.conversation`)."""

    prompt: PromptSpec
    """Of words: what the server answers is text as well."""
    input: Lengths
    """Of what the person says in each turn."""
    output: Lengths
    turns: Lengths
    seed: int
    """Of turns: the load is told the same."""
    chat: bool
    """Asked as messages; else as one text."""
    system_tokens: int = 0
    """Of a system prompt that all conversations share."""

    def turns_of(self, conversation: int) -> int:
        """How many turns conversation number `conversation` has, at least 1."""
        return turns_of(conversation, self.turns, self.seed)


WorkloadSpec: TypeAlias = SyntheticWorkload | TraceWorkload | ConversationWorkload
"""What a worker may be told to ask for."""


class Message(msgspec.Struct, frozen=True):
    """One message of a chat, as it goes over the wire."""

    role: str
    content: str


class RequestSpec(msgspec.Struct, frozen=True):
    """What one request asks for. Its record keeps all of this but the prompt."""

    prompt: list[int] | str | list[Message]
    """Token ids, or text, or the messages of a chat."""
    input_tokens: int
    """Tokens that the server should count in the prompt."""
    output_tokens: int
    """Tokens that it may answer with at the most, and should where it can be made to."""
    conversation: int | None = None
    """Number of the conversation that it belongs to; None: it stands alone."""
    turn: int | None = None
    """Its place in the conversation, from 0; None where there is no conversation."""
    tags: tuple[str, ...] = ()
    """Words by which its record can be told from others."""


class Workload(Protocol):
    """What each request asks for, by its index: the same in every process for the same seed."""

    @property
    def needs_text(self) -> bool:
        """`answered` wants the text of answers, which is thrown away as it comes unless this is true."""

    def spec(self, index: int) -> RequestSpec:
        """What request number `index` asks for. Called before it is due; where `needs_text`, when it is."""

    def answered(self, request: Request, text: str) -> None:
        """A request ended, well or not, or was given up unsent, with so much text; reasoning and tool calls
        are left out.

        Called only where `needs_text`, before the load model hears of the end.
        """
